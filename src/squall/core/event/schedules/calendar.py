"""The dates and times of day that the fields of a cron timer select, without any time zone."""

from __future__ import annotations

from bisect import bisect_left
from calendar import isleap, monthrange
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import msgspec

from squall.core.event.schedules.zones import DAY

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9998
_CYCLE: Final = 400
"""The years after which the calendar repeats, with the same weekdays."""

_1970: Final = date(1970, 1, 1).toordinal()
LAST: Final = 6
"""The `nth` of the last weekday of a month."""


class Place(NamedTuple):
    """A day by its place in the month: the `nth` (1 to 5, or `LAST`) `weekday` (0 is Monday).

    Without a weekday it is the last day of the month; with `workday` the last one from Monday to Friday.
    """

    nth: int
    weekday: int | None = None
    workday: bool = False

    def day(self, first_weekday: int, length: int) -> int:
        """Returns the day of a month that begins with `first_weekday` and has `length` days; 0 if it has none."""
        if self.weekday is None:
            last_weekday = (first_weekday + length - 1) % 7
            return length - (max(0, last_weekday - 4) if self.workday else 0)
        first = (self.weekday - first_weekday) % 7 + 1
        day = first + (length - first) // 7 * 7 if self.nth == LAST else first + (self.nth - 1) * 7
        return day if day <= length else 0


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """The dates that a cron timer selects. None selects all years or weeks.

    All fields must select a date. With `either`, the days of the month or those of the week must select it, as in a
    crontab line that restricts both.
    """

    years: tuple[range, ...] | None
    months: Sequence[int]
    days: Sequence[int]
    places: tuple[Place, ...]
    weeks: Sequence[int] | None
    weekdays: Sequence[int]
    weekday_places: tuple[Place, ...]
    either: bool = False

    def at_or_after(self, number: int) -> int | None:
        """Returns the first selected date at or after `number`, both in days since 1970-01-01; None if there is none.

        It looks at each sort of year once, so that it ends soon for dates that never come.
        """
        start = date.fromordinal(_1970 + max(number, 0))
        without: set[tuple[int, bool, bool]] = set()
        last = start.year + _CYCLE if self.years is None else max(years[-1] for years in self.years)
        for year in range(start.year, min(last, LAST_YEAR) + 1):
            if self.years is not None and not any(year in years for years in self.years):
                continue
            # What ISO calls the first days of January depends on the length of the year before.
            sort = (date(year, 1, 1).weekday(), isleap(year), isleap(year - 1))
            if sort in without:
                continue
            begin = start if year == start.year else date(year, 1, 1)
            selected = self._in_year(begin)
            if selected is not None:
                return selected
            if begin.month == begin.day == 1:
                without.add(sort)
        return None

    def _in_year(self, begin: date) -> int | None:
        for month in self.months[bisect_left(self.months, begin.month) :]:
            first_day = begin.day if month == begin.month else 1
            for day in self._in_month(begin.year, month):
                if day < first_day:
                    continue
                when = date(begin.year, month, day)
                if self.weeks is None or when.isocalendar().week in self.weeks:
                    return when.toordinal() - _1970
        return None

    def _in_month(self, year: int, month: int) -> list[int]:
        first_weekday, length = monthrange(year, month)
        by_day = {place.day(first_weekday, length) for place in self.places}
        by_week = {place.day(first_weekday, length) for place in self.weekday_places}
        selected = []
        for day in range(1, length + 1):
            in_days = day in self.days or day in by_day
            in_week = (first_weekday + day - 1) % 7 in self.weekdays or day in by_week
            if (in_days or in_week) if self.either else (in_days and in_week):
                selected.append(day)
        return selected


class Times(msgspec.Struct, frozen=True):
    """The times of day that a cron timer selects, by hours, minutes and seconds in ascending order."""

    hours: Sequence[int]
    minutes: Sequence[int]
    seconds: Sequence[int]

    def at_or_after(self, second: int) -> int | None:
        """Returns the first selected second of the day at or after `second`; None if there is none on that day."""
        hour, rest = divmod(second, 3600)
        minute, rest = divmod(rest, 60)
        seconds = self.seconds[bisect_left(self.seconds, rest) :]
        at = bisect_left(self.minutes, minute)
        same_minute = at < len(self.minutes) and self.minutes[at] == minute
        minutes = self.minutes[at if seconds or not same_minute else at + 1 :]
        at = bisect_left(self.hours, hour)
        same_hour = at < len(self.hours) and self.hours[at] == hour
        hours = self.hours[at if minutes or not same_hour else at + 1 :]
        if not hours:
            return None
        if hours[0] > hour:
            return hours[0] * 3600 + self.minutes[0] * 60 + self.seconds[0]
        if minutes[0] > minute:
            return hour * 3600 + minutes[0] * 60 + self.seconds[0]
        return hour * 3600 + minute * 60 + seconds[0]


class Walls:
    """Finds the walls (`zones`) of dates and times. One search remembers the date that it day last."""

    def __init__(self, dates: Dates, times: Times) -> None:
        self._dates = dates
        self._times = times
        self._number = -1

    def after(self, wall: int) -> int | None:
        """Returns the first selected wall after `wall`; None if there is none."""
        number, second = divmod(max(wall + 1, 0), DAY)
        if number != self._number:
            selected = self._dates.at_or_after(number)
            if selected is None:
                return None
            if selected > number:
                number, second = selected, 0
            self._number = number
        time = self._times.at_or_after(second)
        if time is not None:
            return number * DAY + time
        return self.after((number + 1) * DAY - 1)
