"""Schedules of all kinds: their parameters, and their fires before and after a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from squall.core.errors import InvalidError
from squall.core.event.schedules import cron, date, interval
from squall.core.event.schedules.cron import CronTimer, parse_cron
from squall.core.event.schedules.date import DateTimer, parse_date
from squall.core.event.schedules.fire import SECOND, Fire
from squall.core.event.schedules.interval import IntervalTimer, parse_interval
from squall.core.event.schedules.lateness import FIELDS as POLICY_FIELDS
from squall.core.event.schedules.quoting import quoted

Schedule = IntervalTimer | DateTimer | CronTimer
"""What says when a timer fires."""

INTERVAL_TIMER: Final = "core.st2.IntervalTimer"
DATE_TIMER: Final = "core.st2.DateTimer"
CRON_TIMER: Final = "core.st2.CronTimer"

FIELDS: Final = {INTERVAL_TIMER: interval.FIELDS, DATE_TIMER: date.FIELDS, CRON_TIMER: cron.FIELDS}
"""The trigger types of timers, and the names of their parameters beside those of the policy."""


def parse_schedule(trigger_type: str, parameters: Mapping[str, Any], start: int, zone: ZoneInfo) -> Schedule:
    """Reads the parameters of a timer of a `trigger_type` of `FIELDS`.

    `start` (µs since 1970) is when the timer was created: the origin of an interval, and the day of a date that names
    none. It must stay the same for each reading of one timer. `zone` applies if the parameters name none. Parameters of
    its policy (`parse_policy`) may be among them. Raises `InvalidError`, which names the field and what it allows.
    """
    if trigger_type not in FIELDS:
        raise InvalidError(f"type: {quoted(trigger_type)} is not a timer. Use one of: {', '.join(FIELDS)}.")
    allowed = (*FIELDS[trigger_type], *POLICY_FIELDS)
    for name in parameters:
        if name not in allowed:
            raise InvalidError(f"{name!s:.100}: {trigger_type} has no such parameter. Use {', '.join(allowed)}.")
    if trigger_type == INTERVAL_TIMER:
        return parse_interval(parameters, start, zone)
    if trigger_type == DATE_TIMER:
        return parse_date(parameters, start, zone)
    return parse_cron(parameters, zone)


def next_fires(schedule: Schedule, after: int, count: int) -> list[Fire]:
    """Returns the first `count` fires after `after` (µs since 1970), fewer if the schedule ends."""
    return list(islice(schedule.fires(after), max(count, 0)))


def fires_between(schedule: Schedule, after: int, until: int) -> Iterator[Fire]:
    """Yields the fires after `after` and not after `until` (µs since 1970) in their order."""
    for each in schedule.fires(after):
        if each.at > until:
            return
        yield each


def last_fire(schedule: Schedule, after: int, until: int, span: int = SECOND) -> Fire | None:
    """Returns the last fire after `after` and not after `until` (µs since 1970), or None.

    It searches from the end, first within the last `span` (µs), so that it does not pass all fires of a long time.
    """
    low = until
    result: Fire | None = None
    while result is None:
        if low <= after:
            return None
        low = max(after, until - span)
        result = next(fires_between(schedule, low, until), None)
        span *= 4
    high = until
    while (later := next(fires_between(schedule, result.at, high), None)) is not None:
        result = later
        # The last fire is in (result, high]: look in the later half until it is empty.
        while high - result.at > SECOND:
            middle = (result.at + high) // 2
            upper = next(fires_between(schedule, middle, high), None)
            if upper is None:
                high = middle
            else:
                result = upper
    return result


def why_no_fire(schedule: Schedule, after: int) -> str:
    """Says why a schedule does not fire after `after` (µs since 1970). Returns an empty text if it does."""
    if next_fires(schedule, after, 1):
        return ""
    if isinstance(schedule, DateTimer):
        only = next_fires(schedule, schedule.at - 1, 1)[0]
        return f"The date {only.local} is over. Set a later date."
    if isinstance(schedule, IntervalTimer):
        return "The next fire would be after the year 9998. Set a smaller interval."
    if schedule.dates.years is not None:
        return "No date in the years of the timer is left. Set a later year."
    return "The clock of the zone never shows the times of the timer on its dates. Set other hours or minutes."
