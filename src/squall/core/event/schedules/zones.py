"""Time zones of schedules: wall clock times, and where the clock goes forward or back.

All times here are whole seconds. An *instant* counts from 1970 in UTC. A *wall* is what a clock in the zone shows, as
the seconds from 1970-01-01 00:00 on that clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from squall.core.errors import InvalidError
from squall.core.event.schedules.quoting import quoted

DAY: Final = 86_400
_START: Final = datetime(1970, 1, 1)


class Change(NamedTuple):
    """The clock goes from the wall `shows` to the wall `then` at the instant `at`; forward if `then` is later."""

    at: int
    shows: int
    then: int


class Moments(NamedTuple):
    """The instants at which a clock shows a wall: one, or two if the clock goes back over it.

    If the clock goes forward over the wall, there is no such instant, and `skipped` is that change. `repeated` is the
    change that lets the clock show the wall twice.
    """

    instants: tuple[int, ...]
    skipped: Change | None = None
    repeated: Change | None = None


def parse_zone(name: object, field: str, default: ZoneInfo) -> ZoneInfo:
    """Returns the zone with an IANA `name`, or `default` if the name is None or empty. `field` names it in the error.

    Raises `InvalidError` for a zone that does not exist.
    """
    if name is None or name == "":
        return default
    try:
        if isinstance(name, str) and len(name) <= 100:
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    raise InvalidError(f"{field}: {quoted(name)} is not a time zone. Use an IANA name such as Europe/Berlin or UTC.")


def offset(zone: ZoneInfo, instant: int) -> int:
    """Returns the seconds by which the zone's clock is ahead of UTC at `instant`."""
    return _seconds(datetime.fromtimestamp(instant, zone).utcoffset())


def change_between(zone: ZoneInfo, start: int, end: int) -> Change | None:
    """Returns the change of the clock after the instant `start` and not after `end`; None if both have one offset.

    It expects at most one change between them.
    """
    before, after = offset(zone, start), offset(zone, end)
    if before == after:
        return None
    while end - start > 1:
        middle = (start + end) // 2
        if offset(zone, middle) == before:
            start = middle
        else:
            end = middle
    return Change(end, end + before, end + after)


def moments(zone: ZoneInfo, wall: int) -> Moments:
    """Returns the instants at which the zone's clock shows `wall`."""
    shown = _START + timedelta(seconds=wall)
    first = _seconds(shown.replace(tzinfo=zone).utcoffset())
    second = _seconds(shown.replace(tzinfo=zone, fold=1).utcoffset())
    if first == second:
        return Moments((wall - first,))
    if first > second:
        return Moments((wall - first, wall - second), repeated=change_between(zone, wall - first, wall - second))
    return Moments((), skipped=change_between(zone, wall - second, wall - first))


def clock(wall: int) -> str:
    """Writes the time of day of a wall as `02:30`, with seconds if it has some."""
    text = (_START + timedelta(seconds=wall)).strftime("%H:%M:%S")
    return text.removesuffix(":00")


def day(wall: int) -> str:
    """Writes the date of a wall as `2026-03-29`."""
    return (_START + timedelta(seconds=wall)).strftime("%Y-%m-%d")


def _seconds(difference: timedelta | None) -> int:
    return round(difference.total_seconds()) if difference is not None else 0
