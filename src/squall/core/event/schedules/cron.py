"""Cron timers: fires at the times that fields or a crontab line select, in a time zone, across changes of its clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.schedules.calendar import LAST_YEAR, Dates, Times, Walls
from squall.core.event.schedules.cron_line import parse_line
from squall.core.event.schedules.expressions import FIELDS as CRON_FIELDS
from squall.core.event.schedules.expressions import Selected, parse_field
from squall.core.event.schedules.fire import LATEST, SECOND, Fire, fire
from squall.core.event.schedules.zones import DAY, Change, change_between, clock, day, moments, offset, parse_zone

FIELDS: Final = (*CRON_FIELDS, "cron", "timezone")
_TIME_FIELDS: Final = ("hour", "minute", "second")
_LEAST: Final = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
_MOST_SKIPPED: Final = 60
"""The changes of the clock in a row, each over all times that it selects, after which a timer counts as never."""


class CronTimer(msgspec.Struct, frozen=True):
    """Fires when the clock of `zone` shows a selected date and time.

    If the clock goes forward over a selected time, the fire is where the clock goes on. If the clock goes back over it,
    the fire is at the first of both. With `real_time` (the field hour, minute or second begins with `*`)
    skipped times have no fire and repeated ones two, so that `*/30` fires each half hour on such days, too.
    """

    dates: Dates
    times: Times
    real_time: bool
    zone: ZoneInfo

    def fires(self, after: int) -> Iterator[Fire]:
        """Yields the fires after `after` (µs since 1970) in their order."""
        if after >= LATEST:
            return
        next_fire = self._by_real_time if self.real_time else self._by_clock
        walls = Walls(self.dates, self.times)
        last = max(after // SECOND, 0)
        while (result := next_fire(walls, last)) is not None:
            yield fire(result[0] * SECOND, self.zone, result[1])
            last = result[0]

    def _by_clock(self, walls: Walls, last: int) -> tuple[int, str] | None:
        """Returns the first instant after the instant `last` with its note; every selected wall counts once."""
        behind = last + offset(self.zone, last)
        clocks = moments(self.zone, behind)
        if clocks.repeated is not None and last >= clocks.repeated.at:
            behind = clocks.repeated.shows - 1
        wall = walls.after(behind)
        if wall is None or wall >= LATEST // SECOND:
            return None
        clocks = moments(self.zone, wall)
        if clocks.skipped is not None:
            return clocks.skipped.at, _moved(walls, wall, clocks.skipped)
        note = f"{clock(wall)} comes twice on {day(wall)}. The fire is at the first." if clocks.repeated else ""
        return clocks.instants[0], note

    def _by_real_time(self, walls: Walls, last: int) -> tuple[int, str] | None:
        """Returns the first instant after the instant `last` that shows a selected wall, with its note."""
        left_out = ""
        for _ in range(_MOST_SKIPPED):
            ahead = offset(self.zone, last)
            wall = walls.after(last + ahead)
            change = change_between(self.zone, last, last + DAY)
            if change is None:
                if wall is None or wall >= LATEST // SECOND:
                    return None
                clocks = moments(self.zone, wall)
                if clocks.skipped is None:
                    # Behind a change back, the clock shows the wall for the second time.
                    instant = next(each for each in clocks.instants if each > last)
                    return instant, left_out or _twice(wall, clocks.repeated, instant)
                change = clocks.skipped
            elif wall is not None and wall - ahead < change.at:
                return wall - ahead, left_out or _twice(wall, moments(self.zone, wall).repeated, wall - ahead)
            if wall is not None and wall < change.then:
                left_out = _left_out(wall, change)
            # The change itself may be a fire; the next search begins behind it.
            first = walls.after(change.then - 1)
            if first == change.then:
                return change.at, left_out or _twice(first, moments(self.zone, first).repeated, change.at)
            last = change.at
        return None


def parse_cron(parameters: Mapping[str, Any], zone: ZoneInfo) -> CronTimer:
    """Reads the parameters of a `core.st2.CronTimer`: its fields, or a crontab line in `cron`. `zone` applies if they
    name none.

    A field that is left out selects everything if a less significant one is given, and else its least value. Raises
    `InvalidError`, which names the field and what it allows, also if no such date exists.
    """
    local_zone = parse_zone(parameters.get("timezone"), "timezone", zone)
    selections = {name: parameters[name] for name in CRON_FIELDS if parameters.get(name) is not None}
    line = parameters.get("cron")
    if line is not None:
        if selections:
            raise InvalidError(
                f"cron: a crontab line has all fields. Remove {', '.join(selections)}, or use only fields."
            )
        dates, times, real_time = parse_line(line)
    else:
        dates, times, real_time = _from_fields(selections)
    if dates.at_or_after(0) is None:
        names = "cron" if line is not None else ", ".join(name for name in selections if name not in _TIME_FIELDS)
        raise InvalidError(
            f"{names}: no date from 1970 to {LAST_YEAR} fits all of them, so the timer would never fire."
        )
    return CronTimer(dates, times, real_time, local_zone)


def _from_fields(selections: Mapping[str, object]) -> tuple[Dates, Times, bool]:
    fields: dict[str, Selected] = {}
    least = max((list(CRON_FIELDS).index(name) for name in selections), default=len(CRON_FIELDS))
    for position, (name, kind) in enumerate(CRON_FIELDS.items()):
        default = _LEAST.get(name, "*") if position > least else "*"
        fields[name] = parse_field(kind, selections.get(name, default))
    years, weeks = fields["year"], fields["week"]
    dates = Dates(
        years=None if years.ranges == (range(1970, 10_000),) else years.ranges,
        months=fields["month"].numbers(),
        days=fields["day"].numbers(),
        places=fields["day"].places,
        weeks=None if weeks.ranges == (range(1, 54),) else weeks.numbers(),
        weekdays=fields["day_of_week"].numbers(),
        weekday_places=(),
    )
    times = Times(fields["hour"].numbers(), fields["minute"].numbers(), fields["second"].numbers())
    return dates, times, any(fields[name].star for name in _TIME_FIELDS)


def _moved(walls: Walls, wall: int, change: Change) -> str:
    """Describes the selected walls, `wall` and later ones, over which the clock goes, and their one fire."""
    last = wall
    while (later := walls.after(last)) is not None and later < change.then and later - wall < DAY:
        last = later
    times = clock(wall) if last == wall else f"{clock(wall)} to {clock(last)}"
    do = "does" if last == wall else "do"
    together = " It stands for all of them." if last != wall else ""
    return (
        f"{times} {do} not exist on {day(wall)}: the clock goes from {clock(change.shows)} to {clock(change.then)}. "
        f"The fire is at {clock(change.then)}.{together}"
    )


def _left_out(wall: int, change: Change) -> str:
    return (
        f"The clock goes from {clock(change.shows)} to {clock(change.then)} on {day(change.shows)}: {clock(wall)} and "
        f"later times before {clock(change.then)} do not exist and have no fire."
    )


def _twice(wall: int, repeated: Change | None, instant: int) -> str:
    if repeated is None:
        return ""
    which = "first" if instant < repeated.at else "second"
    return f"{clock(wall)} comes twice on {day(wall)}, and the timer fires at both. This is the {which}."
