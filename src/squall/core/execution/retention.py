"""The retention of finished executions: one number of days, and exceptions by pack, action and status."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution.execution import FINAL

DAY = 86_400_000_000
"""Microseconds in a day."""

_WORDS = ("pack", "action", "status", "days")


class Rule(msgspec.Struct, frozen=True):
    """An exception: executions of these `packs`, `actions`, `statuses` (empty: any) stay `days` days, 0 for ever."""

    days: float
    packs: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()

    def fits(self, action: str, status: str) -> bool:
        """Checks whether the rule applies to an execution of this action with this status."""
        return (
            (not self.packs or action.partition(".")[0] in self.packs)
            and (not self.actions or action in self.actions)
            and (not self.statuses or status in self.statuses)
        )


class Terms(msgspec.Struct, frozen=True):
    """The terms of retention: the days for every execution, the exceptions in their order, and the most bytes of
    output."""

    days: float
    rules: tuple[Rule, ...] = ()
    max_bytes: int = 1 << 62

    def days_of(self, action: str, status: str) -> float:
        """Returns the days for which an execution is kept; 0: for ever."""
        return next((rule.days for rule in self.rules if rule.fits(action, status)), self.days)

    @property
    def shortest(self) -> float:
        """The fewest days after which an execution is deleted; 0 if none ever is."""
        return min((days for days in (self.days, *(rule.days for rule in self.rules)) if days), default=0)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Parses the rules in a text: `pack=a,b action=c.d status=failed days=7; …`. Raises `InvalidError` that quotes the
    wrong rule."""
    return tuple(_rule(part.strip()) for part in text.split(";") if part.strip())


def _rule(text: str) -> Rule:
    values: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if name not in _WORDS or not equals or not value or name in values:
            raise InvalidError(f"{text!r}: {word!r} is not one of pack=…, action=…, status=…, days=…, each once")
        values[name] = value
    if "days" not in values or len(values) == 1:
        raise InvalidError(f"{text!r}: a rule needs days=… and at least one of pack=…, action=… and status=…")
    return Rule(
        days=_days(text, values["days"]),
        packs=_names(values.get("pack")),
        actions=_names(values.get("action")),
        statuses=check_statuses(_names(values.get("status"))),
    )


def _days(text: str, value: str) -> float:
    try:
        days = float(value)
    except ValueError:
        days = -1
    if not 0 <= days <= 36_500:
        raise InvalidError(f"{text!r}: days={value} is not a number from 0 (for ever) to 36500")
    return days


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name for name in (text or "").split(",") if name)


def check_statuses(statuses: frozenset[str]) -> frozenset[str]:
    """Returns the statuses. Raises `InvalidError` for one that is not final: only ended executions are deleted."""
    if unfinished := sorted(statuses - FINAL):
        raise InvalidError(f"status: {unfinished[0]!r} is not one of {', '.join(sorted(FINAL))}")
    return statuses


class Finished(msgspec.Struct, frozen=True):
    """A finished root execution: its start and end (µs), and the size of its sealed output (`stored`, bytes)."""

    id: str
    action: str
    status: str
    start: int
    end: int
    stored: int


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The selection of a purge request: executions that ended before `before` (µs), of these packs, actions and
    statuses (empty: any), with at least `larger` bytes of stored output."""

    before: int
    packs: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    larger: int = 0

    def fits(self, execution: Finished) -> bool:
        """Checks whether the request selects this execution."""
        rule = Rule(0, self.packs, self.actions, self.statuses)
        if execution.end >= self.before or execution.stored < self.larger:
            return False
        return rule.fits(execution.action, execution.status)


def expired(terms: Terms, executions: Sequence[Finished], now: int) -> list[Finished]:
    """Returns the executions whose retention is over at `now` (µs)."""
    selected = []
    for each in executions:
        days = terms.days_of(each.action, each.status)
        if days and each.end < now - days * DAY:
            selected.append(each)
    return selected
