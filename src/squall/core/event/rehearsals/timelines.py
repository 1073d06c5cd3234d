"""Test cases over time: several events, and when a rule must fire. For `throttle`, `correlate`, `absent` and `hold`.

    over_time:
      - name: only the first alert within ten minutes pages somebody
        events:
          - {at: 0, payload: {body: {severity: 5}}}
          - {at: 1m, payload: {body: {severity: 5}}}
        fires:
          - {at: 0, parameters: {message: "severity 5"}}

The decisions are those of `squall.core.event.gates`, in the order in which the engine applies them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.gates.absence import Absence, begun, came
from squall.core.event.gates.correlating import Arrived, Correlated, correlate
from squall.core.event.gates.settings import (
    COUNT,
    FIRST,
    Correlation,
    Group,
    Throttle,
    absent_within,
    bare,
    correlation_of,
    group_of,
    span,
    throttle_of,
)
from squall.core.event.gates.throttling import Counted, Waiting, first, last, nth
from squall.core.event.rules.evaluating import evaluate
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.records import Rule, RuleTrigger
from squall.core.expr.jinja import Jinja

_SECOND = 1_000_000
_LONGEST = 200


class TimedEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event `at` a time: seconds, or a text such as `5m`, after the rule was enabled. `trigger` is the ref of a
    trigger type, or a type with parameters; it is needed only for the further events of `correlate`."""

    at: str | float
    payload: Any = {}
    trigger: str | dict[str, Any] | None = None


class ExpectedFire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rule fires at this time. Only these parameters are compared."""

    at: str | float
    parameters: dict[str, Any] = {}


class Timeline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test case: the events, and all fires that are expected. It ends at `until`, or if that is absent with the
    last event or fire that is written."""

    events: list[TimedEvent]
    fires: list[ExpectedFire]
    name: str = ""
    until: str | float | None = None


class Fire(NamedTuple):
    """A fire at `at` (µs), with the rendered parameters, or the reason why there are none."""

    at: int
    parameters: Mapping[str, Any]
    failure: str


def compared(timeline: Timeline, rule: Rule, keys: Mapping[str, Any], templates: Jinja) -> list[str]:
    """Runs a test case. Returns a line for each deviation. Raises `InvalidError` for a wrong time."""
    fires = _Run(rule, keys, templates).all(timeline)
    expected = sorted(((_time(each.at), each) for each in timeline.fires), key=lambda each: each[0])
    lines = [f"the rule fires at {_shown(each.at)}: {each.failure}" for each in fires if each.failure]
    if [each.at for each in fires] != [at for at, _ in expected]:
        wanted = ", ".join(_shown(at) for at, _ in expected) or "never"
        actual = ", ".join(_shown(each.at) for each in fires) or "never"
        return [*lines, f"expected that the rule fires at {wanted}; it fires at {actual}"]
    for fire, (at, each) in zip(fires, expected, strict=True):
        for name, value in each.parameters.items():
            actual = json.dumps(fire.parameters[name], default=str) if name in fire.parameters else "nothing"
            if actual != json.dumps(value):
                text = f"expected {json.dumps(value):.{_LONGEST}}, got {actual:.{_LONGEST}}"
                lines.append(f"parameter {name} at {_shown(at)}: {text}")
    return lines


class _Run:
    """The states of one rule while a test case goes on. Times are µs after the rule was enabled."""

    def __init__(self, rule: Rule, keys: Mapping[str, Any], templates: Jinja) -> None:
        self._rule = rule
        self._keys = keys
        self._templates = templates
        self._throttle = throttle_of(rule)
        self._correlation = correlation_of(rule)
        self._absent = absent_within(rule)
        self._absence: Absence | None = begun(self._absent, 0) if self._absent else None
        self._payloads: dict[str, Any] = {"": {}}
        self._correlated: dict[str, Correlated] = {}
        self._started: dict[str, int] = {}
        self._counted: dict[str, Counted] = {}
        self._waiting: dict[str, Waiting] = {}
        self._fires: list[Fire] = []

    def all(self, timeline: Timeline) -> list[Fire]:
        """Returns the fires in order."""
        events = sorted(((_time(each.at), each) for each in timeline.events), key=lambda each: each[0])
        ends = [at for at, _ in events] + [_time(each.at) for each in timeline.fires]
        end = _time(timeline.until) if timeline.until is not None else max(ends, default=0)
        for number, (at, event) in enumerate(events, 1):
            if at > end:
                break
            self._advance(at)
            self._come(at, number, event)
        self._advance(end + 1)
        return self._fires

    def _advance(self, until: int) -> None:
        """Lets everything happen that is due before `until`."""
        while True:
            due = [(each.due, key) for key, each in self._waiting.items()]
            if self._absence is not None and not self._absence.fired:
                due.append((self._absence.due, ""))
            at, key = min(due, default=(until, ""))
            if at >= until:
                return
            if key in self._waiting and self._waiting[key].due == at:
                waiting = self._waiting.pop(key)
                self._fire(at, waiting.instance, waiting.events)
            elif self._absence is not None:
                self._fire(at, self._absence.instance, [])
                self._absence = msgspec.structs.replace(self._absence, fired=True)

    def _come(self, at: int, number: int, event: TimedEvent) -> None:
        instance = str(number)
        self._payloads[instance] = event.payload
        if self._correlation is not None:
            for group, places in self._places(self._correlation, event, at).items():
                state = self._correlated.get(group.key, Correlated())
                arrived = Arrived(number, at, instance, places)
                count = len(self._correlation.entries) + 1
                progress = correlate(self._correlation.kind, count, self._correlation.within, state, arrived, at)
                self._correlated[group.key] = progress.state
                if progress.complete:
                    self._match(at, number, [each.instance for each in progress.complete])
                    return
        elif _is_of(event.trigger, self._rule.trigger) and self._matches(self._rule.criteria, event.payload, at):
            if self._absence is not None:
                self._absence = came(self._absence, instance, at, self._absent, at)
            else:
                self._match(at, number, [])

    def _places(self, correlation: Correlation, event: TimedEvent, at: int) -> dict[Group, tuple[int, ...]]:
        places: dict[Group, tuple[int, ...]] = {}
        all_places = [(self._rule.trigger, self._rule.criteria, correlation.by)]
        all_places += [(entry.trigger, dict(entry.criteria), entry.by) for entry in correlation.entries]
        for place, (trigger, criteria, by) in enumerate(all_places):
            if _is_of(event.trigger, trigger, is_default=place == 0) and self._matches(criteria, event.payload, at):
                group = group_of(by, event.payload)
                places[group] = (*places.get(group, ()), place)
        return places

    def _match(self, at: int, number: int, events: list[str]) -> None:
        throttle, instance = self._throttle, str(number)
        if throttle is None or self._passes(throttle, at, number, events):
            self._fire(at, instance, events)

    def _passes(self, throttle: Throttle, at: int, number: int, events: list[str]) -> bool:
        instance = str(number)
        key = group_of(throttle.by, self._payloads[instance]).key
        if throttle.mode == FIRST:
            self._started[key], fires = first(self._started.get(key), throttle.within, at)
            return fires.fires
        if throttle.mode == COUNT:
            counted = self._counted.get(key, [])
            self._counted[key], fires = nth(counted, number, at, throttle.threshold, throttle.within, at)
            return fires.fires
        match = Waiting(instance=instance, number=number, events=events, due=0)
        self._waiting[key] = last(self._waiting.get(key), match, throttle.within, at)
        return False

    def _matches(self, criteria: Mapping[str, Any], payload: Any, at: int) -> bool:
        explanation = evaluate(bare(self._rule, criteria), payload, self._keys, Setting(self._templates, at))
        return explanation.matches

    def _fire(self, at: int, instance: str, events: list[str]) -> None:
        names = {"events": [self._payloads[each] for each in events]} if events else {}
        always = msgspec.structs.replace(self._rule, criteria={})
        setting = Setting(self._templates, at, names=names)
        explanation = evaluate(always, self._payloads[instance], self._keys, setting)
        self._fires.append(Fire(at, explanation.parameters or {}, explanation.failure))


def _is_of(event_trigger: str | dict[str, Any] | None, trigger: RuleTrigger, *, is_default: bool = True) -> bool:
    """Checks whether an event of a test case is one of this trigger."""
    if event_trigger is None:
        return is_default
    if isinstance(event_trigger, str):
        return event_trigger == trigger.type
    return (event_trigger.get("type"), event_trigger.get("parameters") or {}) == (trigger.type, trigger.parameters)


def _time(at: str | float) -> int:
    """Returns a time of a test case in µs. Raises `InvalidError`."""
    if isinstance(at, str) and at.strip() in ("0", "0s"):
        return 0
    if not isinstance(at, str):
        if not 0 <= at <= 1e9:
            raise InvalidError(f"at: {at} is not between 0 and a billion seconds.")
        return round(at * _SECOND)
    return span(at)


def _shown(at: int) -> str:
    return f"{at / _SECOND:g} s"
