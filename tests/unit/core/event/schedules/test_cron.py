from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.event.schedules.cron import CronTimer, parse_cron
from squall.core.event.schedules.fire import LATEST, SECOND, Fire

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "UTC"]
QUARTER = timedelta(minutes=15)
SOME_MONTHS = 60 * 96
FIRST, LAST = datetime(2017, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)


def cron(zone: str = "Europe/Berlin", **fields: object) -> CronTimer:
    return parse_cron({**fields, "timezone": zone}, ZoneInfo("UTC"))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * SECOND


def fires(timer: CronTimer, after: str, count: int) -> list[Fire]:
    return list(islice(timer.fires(at(after)), count))


def locals_of(timer: CronTimer, after: str, count: int) -> list[str]:
    return [each.local for each in fires(timer, after, count)]


class Reference(NamedTuple):
    """Every quarter of an hour of three years: what the clock shows, and for each time on the clock its one fire."""

    shown: list[tuple[int, datetime]]
    by_clock: list[tuple[int, datetime]]
    changes: list[int]


@cache
def reference(name: str) -> Reference:
    zone = ZoneInfo(name)
    shown: list[tuple[int, datetime]] = []
    by_clock: list[tuple[int, datetime]] = []
    changes: list[int] = []
    instant, seen = FIRST, datetime.min
    while instant < LAST:
        clock = instant.astimezone(zone).replace(tzinfo=None)
        number = round(instant.timestamp())
        if shown and clock - shown[-1][1] != QUARTER:
            changes.append(number)
        while shown and seen + QUARTER < clock:
            seen += QUARTER
            by_clock.append((number, seen))
        if clock > seen:
            by_clock.append((number, clock))
            seen = clock
        shown.append((number, clock))
        instant += QUARTER
    return Reference(shown, by_clock, changes)


def lists(first: int, last: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(first, last), min_size=1, max_size=4, unique=True)


ANY = st.none()
FIELDS = st.fixed_dictionaries(
    {
        "month": ANY | lists(1, 12),
        "day": ANY | ANY | lists(1, 31),
        "week": ANY | ANY | ANY | lists(1, 53),
        "day_of_week": ANY | ANY | lists(0, 6),
        "hour": ANY | st.just("*/2") | lists(0, 3) | lists(0, 23),
        "minute": st.sampled_from(["*/15", "*/30", [0], [30], [0, 15, 45]]),
    }
)


def selects(fields: dict[str, Any], name: str, value: int) -> bool:
    field = fields[name]
    if field is None:
        return True
    return value % int(field[2:]) == 0 if isinstance(field, str) else value in field


def matches(fields: dict[str, Any], clock: datetime) -> bool:
    parts = {
        "minute": clock.minute,
        "hour": clock.hour,
        "day_of_week": clock.weekday(),
        "day": clock.day,
        "month": clock.month,
        "week": clock.isocalendar().week,
    }
    return all(selects(fields, name, value) for name, value in parts.items())


@pytest.mark.parametrize("zone", ZONES)
@given(fields=FIELDS, near=st.booleans(), place=st.floats(0, 1, exclude_max=True))
def test_a_timer_fires_as_a_clock_that_is_read_each_quarter(
    zone: str, fields: dict[str, Any], near: bool, place: float
) -> None:
    texts = {
        name: ",".join(map(str, field)) if isinstance(field, list) else field or "*" for name, field in fields.items()
    }
    try:
        timer = cron(zone, **texts)
    except InvalidError:
        return
    expected = reference(zone)
    real_time = texts["hour"].startswith("*") or texts["minute"].startswith("*")
    rows = expected.shown if real_time else expected.by_clock
    if near and expected.changes:
        start = expected.changes[int(place * len(expected.changes))] - 86_400
    else:
        start = rows[int(place * (len(rows) - 1))][0]
    begin = bisect_right(rows, start, key=lambda row: row[0])
    some = rows[begin : begin + SOME_MONTHS]
    instants = list(dict.fromkeys(number for number, clock in some if matches(fields, clock)))
    until = some[-1][0] * SECOND
    in_time = takewhile(lambda each: each.at <= until, timer.fires(start * SECOND))
    got = [each.at // SECOND for each in islice(in_time, len(instants) + 1)]
    assert got == instants
    assert got == sorted(set(got))


def test_a_fixed_time_that_the_clock_skips_fires_where_the_clock_goes_on() -> None:
    daily = cron(hour=2, minute=30)
    assert fires(daily, "2026-03-28T12:00:00+01:00", 2) == [
        Fire(
            at("2026-03-29T03:00:00+02:00"),
            "2026-03-29T03:00:00+02:00",
            "02:30 does not exist on 2026-03-29: the clock goes from 02:00 to 03:00. The fire is at 03:00.",
        ),
        Fire(at("2026-03-30T02:30:00+02:00"), "2026-03-30T02:30:00+02:00"),
    ]


def test_several_skipped_times_have_one_fire() -> None:
    timer = cron(hour="2,3", minute="0,30")
    first, second = fires(timer, "2026-03-29T00:00:00+01:00", 2)
    assert first.local == "2026-03-29T03:00:00+02:00"
    assert first.note == (
        "02:00 to 02:30 do not exist on 2026-03-29: the clock goes from 02:00 to 03:00. The fire is at 03:00. "
        "It stands for all of them."
    )
    assert second.local == "2026-03-29T03:30:00+02:00"


def test_a_fire_at_a_change_follows_the_last_microsecond_before_it() -> None:
    daily = cron(hour=2, minute=30)
    change = at("2026-03-29T03:00:00+02:00")
    assert [each.at for each in islice(daily.fires(change - 1), 1)] == [change]
    assert [each.local for each in islice(daily.fires(change), 1)] == ["2026-03-30T02:30:00+02:00"]


def test_a_fixed_time_that_comes_twice_fires_once_and_says_so() -> None:
    daily = cron(hour=2, minute=30)
    assert fires(daily, "2026-10-24T12:00:00+02:00", 2) == [
        Fire(
            at("2026-10-25T02:30:00+02:00"),
            "2026-10-25T02:30:00+02:00",
            "02:30 comes twice on 2026-10-25. The fire is at the first.",
        ),
        Fire(at("2026-10-26T02:30:00+01:00"), "2026-10-26T02:30:00+01:00"),
    ]
    # From the middle of the second hour, too.
    assert locals_of(daily, "2026-10-25T02:10:00+01:00", 1) == ["2026-10-26T02:30:00+01:00"]


def test_a_star_follows_real_time_over_both_changes_and_says_so() -> None:
    half_hourly = cron(minute="*/30")
    spring = fires(half_hourly, "2026-03-29T01:10:00+01:00", 2)
    assert [each.local for each in spring] == ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert spring[1].note == (
        "The clock goes from 02:00 to 03:00 on 2026-03-29: 02:00 and later times before 03:00 do not exist and have no "
        "fire."
    )
    autumn = fires(half_hourly, "2026-10-25T01:40:00+02:00", 5)
    assert [each.local[11:] for each in autumn] == [
        "02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00", "03:00:00+01:00",
    ]  # fmt: skip
    assert [each.note[-10:] for each in autumn] == ["the first.", "the first.", "he second.", "he second.", ""]


def test_the_next_fire_after_times_that_were_left_out_says_so() -> None:
    timer = cron(hour=2, minute="*/20")
    first = fires(timer, "2026-03-28T02:50:00+01:00", 1)[0]
    assert first.local == "2026-03-30T02:00:00+02:00"
    assert "02:00 and later times before 03:00 do not exist" in first.note


def test_half_an_hour_is_skipped_and_repeated_on_lord_howe() -> None:
    daily = cron("Australia/Lord_Howe", hour=2, minute=15)
    first = fires(daily, "2026-10-03T12:00:00+10:30", 1)[0]
    assert first.local == "2026-10-04T02:30:00+11:00"
    assert "from 02:00 to 02:30" in first.note
    hourly = cron("Australia/Lord_Howe", minute=45)
    assert locals_of(hourly, "2026-04-05T01:00:00+11:00", 3) == [
        "2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T02:45:00+10:30",
    ]  # fmt: skip


def test_a_day_without_midnight_and_a_skipped_day_have_their_fire() -> None:
    midnight = cron("America/Sao_Paulo", hour=0)
    assert locals_of(midnight, "2018-11-03T12:00:00-03:00", 2) == [
        "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00",
    ]  # fmt: skip
    noon = cron("Pacific/Apia", hour=12)
    friday = fires(noon, "2011-12-29T13:00:00-10:00", 2)
    assert [each.local for each in friday] == ["2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"]
    assert friday[0].note.startswith("12:00 does not exist on 2011-12-30")


@pytest.mark.parametrize(
    ("fields", "local"),
    [
        ({}, "2026-01-01T00:00:01+00:00"),
        ({"timezone": None, "hour": None}, "2026-01-01T00:00:01+00:00"),
        ({"second": 5}, "2026-01-01T00:00:05+00:00"),
        ({"minute": 5}, "2026-01-01T00:05:00+00:00"),
        ({"hour": 1, "day_of_week": "*"}, "2026-01-01T01:00:00+00:00"),
        ({"day_of_week": "mon"}, "2026-01-05T00:00:00+00:00"),
        ({"day_of_week": 0}, "2026-01-05T00:00:00+00:00"),
        ({"week": 3}, "2026-01-12T00:00:00+00:00"),
        ({"day": 13, "day_of_week": "fri"}, "2026-02-13T00:00:00+00:00"),
        ({"month": "jul-aug"}, "2026-07-01T00:00:00+00:00"),
        ({"day": "last"}, "2026-01-31T00:00:00+00:00"),
        ({"month": 2, "day": "last fri", "hour": 18}, "2026-02-27T18:00:00+00:00"),
        ({"day": "2nd Tue"}, "2026-01-13T00:00:00+00:00"),
        ({"year": "2030-2040/5"}, "2030-01-01T00:00:00+00:00"),
        ({"month": 2, "day": 29}, "2028-02-29T00:00:00+00:00"),
        ({"cron": "*/5 * * * *"}, "2026-01-01T00:05:00+00:00"),
        ({"cron": "@daily"}, "2026-01-02T00:00:00+00:00"),
        ({"cron": "30 0 0 * * *"}, "2026-01-01T00:00:30+00:00"),
    ],
)
def test_fields_select_the_next_time(fields: dict[str, Any], local: str) -> None:
    timer = parse_cron(fields, ZoneInfo("UTC"))
    assert locals_of(timer, "2026-01-01T00:00:00+00:00", 1) == [local]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"month": 2, "day": 30}, "month, day: no date"),
        ({"month": "feb", "day": "30,31", "hour": 4}, "month, day: no date"),
        ({"month": 12, "day": "1st mon", "week": 53}, "month, day, week: no date"),
        ({"cron": "0 0 31 4 *"}, "cron: no date"),
        ({"cron": "0 0 * * *", "hour": 3}, "cron: a crontab line has all fields. Remove hour"),
        ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus' is not a time zone"),
        ({"hour": 24}, "hour: '24' is not valid. Use 0 to 23"),
    ],
)
def test_fields_that_never_fit_are_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as error:
        parse_cron(fields, ZoneInfo("UTC"))
    assert str(error.value).startswith(message)


def test_a_timer_ends_with_its_years_and_with_the_calendar() -> None:
    assert fires(cron(year=2020), "2026-01-01T00:00:00+00:00", 1) == []
    assert fires(cron(year=9998, month=12, day=31), "9998-12-31T12:00:00+00:00", 5) == []
    assert list(cron(minute=0).fires(LATEST)) == []
    assert fires(cron(minute=0), "1960-01-01T00:00:00+00:00", 1)[0].at > 0


def test_a_search_ends_although_the_clock_skips_all_selected_times() -> None:
    assert fires(cron(month=3, day="last sun", hour=2, minute="*/30"), "2026-01-01T00:00:00+00:00", 1) == []
