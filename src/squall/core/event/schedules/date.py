"""Date timers: one fire at a date and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from dateutil import parser

from squall.core.errors import InvalidError
from squall.core.event.schedules.fire import LATEST, SECOND, Fire, fire
from squall.core.event.schedules.quoting import quoted
from squall.core.event.schedules.zones import clock, day, moments, parse_zone

FIELDS: Final = ("date", "timezone")
_LONGEST: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class DateTimer(msgspec.Struct, frozen=True):
    """Fires once, at `at` (µs since 1970). `note` says how a change of the clock moved it; else it is empty."""

    at: int
    zone: ZoneInfo
    note: str = ""

    def fires(self, after: int) -> Iterator[Fire]:
        """Yields its fire if that is after `after` (µs since 1970)."""
        if self.at > after:
            yield fire(self.at, self.zone, self.note)


def parse_date(parameters: Mapping[str, Any], now: int, zone: ZoneInfo) -> DateTimer:
    """Reads the parameters of a `core.st2.DateTimer`. A date without a zone is in that of `timezone`, or in `zone`.

    The day is that of `now` (µs since 1970) if the date has none, such as `10:30`. Without a time of day it is 00:00.
    Raises `InvalidError`, which names the field and what it allows.
    """
    local_zone = parse_zone(parameters.get("timezone"), "timezone", zone)
    value = parameters.get("date")
    # YAML reads a date without quotes as a date.
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        raise _invalid(value)
    today = (_EPOCH + timedelta(microseconds=now)).astimezone(local_zone)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    try:
        moment = parser.parse(text, default=midnight, tzinfos=_zone_of)
        if moment.tzinfo is not None:
            return _timer((moment - _EPOCH) // _MICROSECOND, local_zone, value)
        wall, rest = divmod((moment.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND, SECOND)
        clocks = moments(local_zone, wall)
    except (ValueError, OverflowError, ArithmeticError, TypeError, LookupError, AttributeError) as error:
        raise _invalid(value) from error
    if clocks.skipped is not None:
        skipped = clocks.skipped
        note = (
            f"{clock(wall)} does not exist on {day(wall)}: the clock goes from {clock(skipped.shows)} to "
            f"{clock(skipped.then)}. The fire is at {clock(skipped.then)}."
        )
        return _timer(skipped.at * SECOND, local_zone, value, note)
    note = f"{clock(wall)} comes twice on {day(wall)}. The fire is at the first." if len(clocks.instants) > 1 else ""
    return _timer(clocks.instants[0] * SECOND + rest, local_zone, value, note)


def _timer(at: int, zone: ZoneInfo, value: object, note: str = "") -> DateTimer:
    if not 0 <= at <= LATEST:
        raise _invalid(value)
    return DateTimer(at, zone, note)


def _zone_of(name: str | None, ahead: int | None) -> tzinfo | None:
    """Returns the zone that a date names. Without this, the parser would use the zone of this machine."""
    if ahead is None and name is not None and name.upper() not in ("UTC", "GMT", "Z"):
        raise ValueError(f"the abbreviation {name} may stand for several zones")
    if name is None and ahead is None:
        return None
    return timezone(timedelta(seconds=ahead or 0))


def _invalid(value: object) -> InvalidError:
    return InvalidError(
        f"date: {quoted(value)} is not a date and time from 1970 to 9998. Use one such as 2026-12-31 23:59:00 with the"
        f" zone in timezone, or 2026-12-31T23:59:00+01:00."
    )
