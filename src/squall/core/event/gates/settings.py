"""Reads the keys `throttle`, `correlate` and `absent` of a checked rule, and the group to which an event belongs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from squall.core.event.rules.path_parts import Steps, StepsError
from squall.core.event.rules.paths import parse_path
from squall.core.event.rules.records import Rule, RuleAction, RuleTrigger
from squall.core.timespan import moment

FIRST = "first"
LAST = "last"
COUNT = "count"
ALL = "all"
ANY = "any"
SEQUENCE = "sequence"

_SHOWN = 100
_MOST_STEPS = 20_000


class Throttle(NamedTuple):
    """`throttle` of a rule. `within` is in µs; `by` are the paths of the groups; `threshold` is the
    number of events that fires, 0 in other modes."""

    within: int
    by: tuple[str, ...]
    mode: str
    threshold: int


class Entry(NamedTuple):
    """One further event of a correlation: events of a trigger that meet all criteria. `by` are its paths of groups."""

    trigger: RuleTrigger
    criteria: Mapping[str, Any]
    by: tuple[str, ...]


class Correlation(NamedTuple):
    """`correlate` of a rule: `all`, `any` or `sequence` of the rule's own event and `entries`, `within` so many µs."""

    kind: str
    within: int
    by: tuple[str, ...]
    entries: tuple[Entry, ...]


class Group(NamedTuple):
    """The events for which a rule keeps one state. `key` is equal for equal values; `values` shows them to people."""

    key: str
    values: str


NO_GROUP = Group("", "")
"""The group of all events, if a rule makes no groups."""


def throttle_of(rule: Rule) -> Throttle | None:
    """Returns the throttle of a rule; None if it has none."""
    own = rule.throttle
    if own is None:
        return None
    return Throttle(span(own["within"]), _paths(own.get("by")), own.get("mode") or FIRST, own.get("count") or 0)


def correlation_of(rule: Rule) -> Correlation | None:
    """Returns the correlation of a rule; None if it has none."""
    own = rule.correlate
    if own is None:
        return None
    kind = next(word for word in (ALL, ANY, SEQUENCE) if own.get(word))
    by = _paths(own.get("by"))
    return Correlation(kind, span(own["within"]), by, tuple(_entry(each, by) for each in own[kind]))


def _entry(entry: str | Mapping[str, Any], by: tuple[str, ...]) -> Entry:
    if isinstance(entry, str):
        return Entry(RuleTrigger(type=entry), {}, by)
    trigger = RuleTrigger(type=entry["trigger"]["type"], parameters=entry["trigger"].get("parameters") or {})
    return Entry(trigger, entry.get("criteria") or {}, _paths(entry.get("by")) or by)


def trigger_types(rule: Rule) -> frozenset[str]:
    """Returns the refs of the trigger types of a rule: its own, and those of the entries of `correlate`."""
    correlation = correlation_of(rule)
    entries = () if correlation is None else correlation.entries
    return frozenset({rule.trigger.type, *(entry.trigger.type for entry in entries)})


def absent_within(rule: Rule) -> int:
    """Returns the time (µs) after which a rule with `absent` fires; 0 for any other rule."""
    return 0 if rule.absent is None else span(rule.absent["within"])


def defers(rule: Rule) -> bool:
    """Checks whether the rule never fires in the evaluation of an event, so that parameters are rendered later."""
    return bool(awaits(rule))


def awaits(rule: Rule) -> str:
    """Returns for what a match of the rule waits before it fires; empty if it may fire in the evaluation of its
    event."""
    throttle = throttle_of(rule)
    if rule.absent is not None:
        return f"absent: the rule fires only if no event comes for {rule.absent['within']}"
    if rule.correlate is not None:
        return "correlate: the event takes a place, and the rule fires when the events of the other places have come"
    if throttle is not None and throttle.mode == LAST:
        return "throttle: the rule fires for the last event of a span, at its end"
    return "hold: the match waits until somebody runs or discards it" if rule.hold else ""


def places_of(rule: Rule, correlation: Correlation) -> list[tuple[str, Rule, tuple[str, ...]]]:
    """Returns the places of a correlation in order: the ref of the trigger of each, the rule with only the criteria
    of the place, and the paths of its groups."""
    own = (rule.trigger.ref, bare(rule), correlation.by)
    further = zip(rule.events, correlation.entries, strict=False)
    return [own, *((ref, bare(rule, entry.criteria), entry.by) for ref, entry in further)]


def bare(rule: Rule, criteria: Mapping[str, Any] | None = None) -> Rule:
    """Returns the rule without parameters for its action, and with other `criteria` if they are given."""
    action = RuleAction(ref=rule.action.ref)
    return msgspec.structs.replace(rule, action=action, criteria=rule.criteria if criteria is None else dict(criteria))


def span(value: str | float) -> int:
    """Returns a checked span of time in µs: seconds, or a text such as `5m`."""
    microseconds = -moment(value, "within", 0) if isinstance(value, str) else round(value * 1_000_000)
    return max(1, microseconds)


def group_of(paths: tuple[str, ...], payload: Any) -> Group:
    """Returns the group of an event: that of the values at these paths. A path without a value counts as null. Raises
    `StepsError` if the paths look at too many values."""
    if not paths:
        return NO_GROUP
    steps = Steps(_MOST_STEPS)
    try:
        values = [parse_path(path).first({"trigger": payload}, steps).value for path in paths]
    except StepsError:
        raise StepsError(f"the paths look at more than {_MOST_STEPS} values of this event") from None
    encoded = msgspec.json.encode(values, order="deterministic")
    shown = encoded[1:-1].decode()
    return Group(hashlib.sha256(encoded).hexdigest()[:32], shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…")


def _paths(by: str | list[str] | None) -> tuple[str, ...]:
    return () if by is None else (by,) if isinstance(by, str) else tuple(by)
