"""Silences: for a time, the matches of a rule, of a pack's rules or of a trigger's rules start no action."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from squall.core.content.metadata_words import MetadataError, Types, check_type, check_words
from squall.core.content.pack_config import is_template
from squall.core.errors import InvalidError
from squall.core.event.rules.criteria import check_criteria
from squall.core.event.rules.evaluating import NO_KEYS, evaluate
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.records import Rule
from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.evaluator import NeedsProcess
from squall.core.expr.json_value import NotJsonError, json_value
from squall.core.timespan import moment
from squall.core.timestamp import to_iso

LONGEST = 366 * 86_400_000_000
"""The longest silence, in µs."""

MOST_LONG = 3
"""The most silences whose criteria take longer than some milliseconds, for one match."""

MOST_CRITERIA = 20
"""The most criteria of a silence."""

SCOPES = ("rule", "pack", "trigger")
_TEXT, _MAP = (str,), (dict,)
_BODY: Types = {
    "id": _TEXT, "author": _TEXT, "created_at": _TEXT, "count": (int,), "last_at": _TEXT,
    "rule": _TEXT, "pack": _TEXT, "trigger": _TEXT, "reason": _TEXT, "until": _TEXT, "criteria": _MAP,
}  # fmt: skip
_LONGEST_REASON = 1_000
_LONGEST_TARGET = 600


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence from `created_at` until `until` (µs). `scope` is one of `SCOPES`, `target` the ref of the rule, the
    pack or the trigger (or trigger type). With `criteria`, only events that meet all of them are silenced. `count`
    matches were silenced, the last one at `last_at` (µs; 0 if none)."""

    id: str
    author: str
    reason: str
    scope: str
    target: str
    criteria: dict[str, Any] = {}
    created_at: int
    until: int
    count: int = 0
    last_at: int = 0


def make_silence(body: Any, silence_id: str, author: str, now: int) -> Silence:
    """Returns the silence that the body of a request describes. Attributes that the server sets are ignored. Raises
    `MetadataError`, which is an `InvalidError`."""
    if not isinstance(body, dict):
        raise MetadataError("expected a mapping with reason, until, and one of rule, pack and trigger")
    check_words(body, _BODY)
    scopes = [scope for scope in SCOPES if body.get(scope)]
    if len(scopes) != 1:
        raise MetadataError(f"a silence needs exactly one of {', '.join(SCOPES)}")
    target = body[scopes[0]]
    if len(target) > _LONGEST_TARGET or not target.isprintable():
        raise MetadataError(f"{target!r:.60} is no reference", scopes[0])
    reason = (body.get("reason") or "").strip()
    if not reason:
        raise MetadataError("'reason' is a required property: say why the rules must be silent", "reason")
    if len(reason) > _LONGEST_REASON:
        raise MetadataError(f"a reason has at most {_LONGEST_REASON} characters, not {len(reason)}", "reason")
    return Silence(
        id=silence_id,
        author=author,
        reason=reason,
        scope=scopes[0],
        target=target,
        criteria=_criteria(body.get("criteria") or {}),
        created_at=now,
        until=_until(body.get("until") or "", now),
    )


def _until(text: str, now: int) -> int:
    if not text:
        raise MetadataError("'until' is a required property: a time, or a span such as 2h", "until")
    try:
        until = moment(text, "until", now)
    except InvalidError as error:
        raise MetadataError(str(error).removeprefix("until: "), "until") from None
    # A span counts from now on, not back.
    if not any(mark in text for mark in ("-", ":", "T")):
        until = 2 * now - until
    if not now < until <= now + LONGEST:
        raise MetadataError(f"{text!r:.60} is not within the next 366 days", "until")
    return until


def _criteria(criteria: Mapping[str, Any]) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json_value(criteria)
    except (NotJsonError, LimitExceededError, RecursionError) as error:
        raise MetadataError(f"the value is not possible in JSON: {error}", "criteria") from None
    check_criteria(plain, "criteria")
    if len(plain) > MOST_CRITERIA:
        raise MetadataError(f"a silence has at most {MOST_CRITERIA} criteria, not {len(plain)}", "criteria")
    for path, criterion in plain.items():
        check_type(criterion, _MAP, "criteria", path)
        if criterion["type"] == "search":
            raise MetadataError('a silence cannot use "search"', "criteria", path)
        if isinstance(criterion.get("pattern"), str) and is_template(criterion["pattern"]):
            raise MetadataError("the pattern of a silence cannot be a template", "criteria", path, "pattern")
    return plain


class _NoTemplates:
    """Templates for criteria that have none."""

    def names(self, text: str) -> frozenset[str]:
        """Returns no names."""
        return frozenset()

    def render(self, text: str, names: Mapping[str, Any]) -> str:
        """Raises `InvalidError`."""
        raise InvalidError("a silence has no templates")

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        """Raises `InvalidError`."""
        raise InvalidError("a silence has no templates")


def first_over(silences: Iterable[Silence], rule: Rule, payload: Any, now: int) -> Silence | None:
    """Returns the first of these silences over a rule that covers an event with this payload.

    Silences are compared within a transaction. So only the first `MOST_LONG` whose criteria take longer than some
    milliseconds are compared; others do not cover the event.
    """
    long = 0
    for silence in silences:
        try:
            is_over = covers(silence, rule, payload, now, is_brief=True)
        except NeedsProcess:
            long += 1
            is_over = long <= MOST_LONG and covers(silence, rule, payload, now)
        if is_over:
            return silence
    return None


def covers(silence: Silence, rule: Rule, payload: Any, now: int, *, is_brief: bool = False) -> bool:
    """Checks whether a silence over a rule covers an event with this payload: all criteria match. Criteria that take
    much too long do not match. Raises `NeedsProcess` if it `is_brief`, and they take longer than some milliseconds."""
    if not silence.criteria:
        return True
    narrowed = msgspec.structs.replace(
        rule, criteria=silence.criteria, action=msgspec.structs.replace(rule.action, parameters={})
    )
    setting = Setting(_NoTemplates(), now, is_brief=is_brief)
    return evaluate(narrowed, payload, NO_KEYS, setting, all_criteria=False).matches


def document(silence: Silence) -> dict[str, Any]:
    """Returns a silence as the API shows it."""
    last = {"last_at": to_iso(silence.last_at)} if silence.last_at else {}
    return {
        "id": silence.id,
        "author": silence.author,
        "reason": silence.reason,
        silence.scope: silence.target,
        "criteria": silence.criteria,
        "created_at": to_iso(silence.created_at),
        "until": to_iso(silence.until),
        "count": silence.count,
        **last,
    }
