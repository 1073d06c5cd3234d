from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from squall.core.event.schedules.calendar import LAST, Dates, Place, Times, Walls

EPOCH = date(1970, 1, 1)
FIRST = date(2000, 1, 1)
DAYS = 40 * 365


@cache
def days() -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(DAYS)]


def subset(first: int, last: int) -> st.SearchStrategy[list[int]]:
    return st.just(list(range(first, last + 1))) | st.lists(
        st.integers(first, last), min_size=1, max_size=5, unique=True
    ).map(sorted)


def is_place(place: Place, when: date) -> bool:
    length = monthrange(when.year, when.month)[1]
    same = [day for day in range(1, length + 1) if date(when.year, when.month, day).weekday() == place.weekday]
    if place.weekday is None:
        wanted = [day for day in range(1, length + 1) if not place.workday or when.replace(day=day).weekday() < 5][-1]
    else:
        wanted = same[-1] if place.nth == LAST else (same[place.nth - 1] if place.nth <= len(same) else 0)
    return when.day == wanted


PLACES = st.lists(
    st.builds(Place, st.integers(1, 6), st.integers(0, 6))
    | st.builds(Place, st.just(LAST), st.none(), workday=st.booleans()),
    max_size=2,
).map(tuple)


@given(
    months=subset(1, 12),
    numbers=subset(1, 31) | st.just([]),
    places=PLACES,
    weeks=st.none() | subset(1, 53),
    weekdays=subset(0, 6),
    either=st.booleans(),
    start=st.integers(0, DAYS),
)
def test_dates_are_those_that_all_fields_select(
    months: list[int],
    numbers: list[int],
    places: tuple[Place, ...],
    weeks: list[int] | None,
    weekdays: list[int],
    either: bool,
    start: int,
) -> None:
    dates = Dates(
        years=None,
        months=months,
        days=numbers,
        places=places,
        weeks=weeks,
        weekdays=weekdays,
        weekday_places=(),
        either=either,
    )

    def selected(when: date) -> bool:
        by_day = when.day in numbers or any(is_place(place, when) for place in places)
        by_week = when.weekday() in weekdays
        in_week = weeks is None or when.isocalendar().week in weeks
        return when.month in months and in_week and ((by_day or by_week) if either else (by_day and by_week))

    number = (FIRST - EPOCH).days + start
    for when in days()[start:]:
        if selected(when):
            assert dates.at_or_after(number) == (when - EPOCH).days
            number = (when - EPOCH).days + 1
            if number > (FIRST - EPOCH).days + start + 900:
                return
    following = dates.at_or_after(number)
    assert following is None or following >= (FIRST - EPOCH).days + DAYS


def test_years_limit_dates() -> None:
    dates = Dates(
        years=(range(2030, 2041, 5), range(2026, 2027)),
        months=[6],
        days=[1],
        places=(),
        weeks=None,
        weekdays=range(7),
        weekday_places=(),
    )
    numbers = []
    number = dates.at_or_after(0)
    while number is not None:
        numbers.append((EPOCH + timedelta(days=number)).isoformat())
        number = dates.at_or_after(number + 1)
    assert numbers == ["2026-06-01", "2030-06-01", "2035-06-01", "2040-06-01"]


@given(hours=subset(0, 23), minutes=subset(0, 59), seconds=subset(0, 59), start=st.integers(0, 86_399))
def test_times_are_those_that_all_fields_select(
    hours: list[int], minutes: list[int], seconds: list[int], start: int
) -> None:
    everything = (hour * 3600 + minute * 60 + second for hour in hours for minute in minutes for second in seconds)
    assert Times(hours, minutes, seconds).at_or_after(start) == next(
        (each for each in everything if each >= start), None
    )


def test_a_search_goes_on_with_the_next_date_behind_the_last_time_of_a_day() -> None:
    dates = Dates(years=None, months=[1], days=[1, 2], places=(), weeks=None, weekdays=range(7), weekday_places=())
    walls = Walls(dates, Times([0, 23], [30], [0]))
    found = [0]
    for _ in range(5):
        wall = walls.after(found[-1])
        assert wall is not None
        found.append(wall)
    half, evening = 1_800, 23 * 3_600 + 1_800
    assert found[1:] == [half, evening, 86_400 + half, 86_400 + evening, 365 * 86_400 + half]
    # A search may also go back.
    assert walls.after(0) == half


def test_a_first_of_january_is_in_week_53_only_behind_some_years() -> None:
    dates = Dates(years=None, months=[1], days=[1], places=(), weeks=[53], weekdays=[5], weekday_places=())
    number = dates.at_or_after((date(2006, 1, 1) - EPOCH).days)
    # 2011 and 2022 begin with a Saturday, too, in week 52: the years before them were shorter than 2032.
    assert number == (date(2033, 1, 1) - EPOCH).days
