"""Interval timers: a fire each time a span of real time has passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.schedules.fire import LATEST, SECOND, Fire, fire
from squall.core.event.schedules.quoting import quoted
from squall.core.event.schedules.zones import parse_zone

UNITS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
"""The seconds of each unit."""

FIELDS: Final = ("unit", "delta", "timezone")
_LONGEST: Final = 100 * 366 * 86_400


class IntervalTimer(msgspec.Struct, frozen=True):
    """Fires each `step` (µs) after `start` (µs since 1970), by real time: changes of the clock do not move it."""

    start: int
    step: int
    zone: ZoneInfo

    def fires(self, after: int) -> Iterator[Fire]:
        """Yields the fires after `after` (µs since 1970) in their order, without end."""
        at = self.start + self.step * max(1, (after - self.start) // self.step + 1)
        while at <= LATEST:
            yield fire(at, self.zone)
            at += self.step


def parse_interval(parameters: Mapping[str, Any], start: int, zone: ZoneInfo) -> IntervalTimer:
    """Reads the parameters of a `core.st2.IntervalTimer`. Its first fire is one interval after `start` (µs since 1970).
    `zone` applies if the parameters name none.

    Raises `InvalidError`, which names the field and what it allows.
    """
    unit, delta = parameters.get("unit"), parameters.get("delta")
    if not isinstance(unit, str) or unit not in UNITS:
        raise InvalidError(f"unit: {quoted(unit)} is not a unit of time. Use one of: {', '.join(UNITS)}.")
    if isinstance(delta, str) and delta.isascii() and delta.isdigit() and len(delta) < 12:
        delta = int(delta)
    if not isinstance(delta, int) or isinstance(delta, bool) or not 1 <= delta <= _LONGEST // UNITS[unit]:
        most = _LONGEST // UNITS[unit]
        raise InvalidError(f"delta: {quoted(delta)} is not a number of {unit}. Use a whole number from 1 to {most}.")
    return IntervalTimer(start, delta * UNITS[unit] * SECOND, parse_zone(parameters.get("timezone"), "timezone", zone))
