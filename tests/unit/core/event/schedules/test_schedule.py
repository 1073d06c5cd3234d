from __future__ import annotations

from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.event.schedules.cron import CronTimer
from squall.core.event.schedules.date import DateTimer
from squall.core.event.schedules.fire import LATEST, SECOND
from squall.core.event.schedules.interval import IntervalTimer
from squall.core.event.schedules.schedule import (
    CRON_TIMER,
    DATE_TIMER,
    INTERVAL_TIMER,
    Schedule,
    fires_between,
    last_fire,
    next_fires,
    parse_schedule,
    why_no_fire,
)

UTC = ZoneInfo("UTC")
START = 1_767_225_600 * SECOND
"""2026-01-01."""
DAY = 86_400 * SECOND


def parse(kind: str, **parameters: Any) -> Schedule:
    return parse_schedule(kind, parameters, START, UTC)


def test_each_type_has_its_timer() -> None:
    assert isinstance(parse(INTERVAL_TIMER, unit="days", delta=1, misfire="skip"), IntervalTimer)
    assert isinstance(parse(DATE_TIMER, date="2026-05-01", overlap="skip", jitter="5m"), DateTimer)
    assert isinstance(parse(CRON_TIMER, cron="@daily", misfire_window="2h", misfire_most=3), CronTimer)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("core.st2.webhook", {}, "type: 'core.st2.webhook' is not a timer. Use one of: core.st2.IntervalTimer,"),
        (INTERVAL_TIMER, {"units": "days"}, "units: core.st2.IntervalTimer has no such parameter. Use unit, delta,"),
        (CRON_TIMER, {"hours": 1}, "hours: core.st2.CronTimer has no such parameter. Use year, month,"),
    ],
)
def test_unknown_types_and_parameters_are_refused(kind: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError) as error:
        parse(kind, **parameters)
    assert str(error.value).startswith(message)


def test_next_fires_are_as_many_as_there_are() -> None:
    hourly = parse(CRON_TIMER, cron="@hourly")
    assert [each.at for each in next_fires(hourly, START, 3)] == [START + n * 3_600 * SECOND for n in (1, 2, 3)]
    assert next_fires(hourly, START, 0) == next_fires(hourly, START, -1) == []
    assert len(next_fires(parse(DATE_TIMER, date="2026-05-01"), START, 10)) == 1


@given(
    timer=st.sampled_from(
        ["*/7 * * * *", "0 3 * * *", "* * * * * *", "0 0 29 2 *", "*/10 * 0 1 1 *", "30 2 * 3,10 sun"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    after=st.integers(START, START + 400 * DAY),
    length=st.integers(0, 3_600 * SECOND) | st.integers(0, 400 * DAY),
    span=st.sampled_from([SECOND, 3_600 * SECOND]),
)
def test_the_last_fire_is_the_one_behind_which_none_follows(
    timer: str, zone: str, after: int, length: int, span: int
) -> None:
    schedule = parse(CRON_TIMER, cron=timer, timezone=zone)
    until = after + length
    last = last_fire(schedule, after, until, span)
    if last is None:
        assert next(fires_between(schedule, after, until), None) is None
    else:
        assert after < last.at <= until
        assert next(fires_between(schedule, last.at - 1, until), None) == last
        assert next(fires_between(schedule, last.at, until), None) is None


def test_fires_between_two_times_are_behind_the_first_up_to_the_second() -> None:
    schedule = parse(INTERVAL_TIMER, unit="hours", delta=1)
    hour = 3_600 * SECOND
    assert [each.at for each in fires_between(schedule, START + hour, START + 3 * hour)] == [
        START + 2 * hour, START + 3 * hour,
    ]  # fmt: skip
    assert list(takewhile(lambda _: True, fires_between(schedule, START, START))) == []


def test_a_timer_that_fires_no_more_says_why() -> None:
    assert why_no_fire(parse(CRON_TIMER, minute=0), START) == ""
    assert why_no_fire(parse(DATE_TIMER, date="2026-01-01"), START) == (
        "The date 2026-01-01T00:00:00+00:00 is over. Set a later date."
    )
    assert why_no_fire(parse(CRON_TIMER, year=2020), START).startswith("No date in the years of the timer is left.")
    assert why_no_fire(parse(INTERVAL_TIMER, unit="days", delta=1), LATEST).startswith("The next fire would be after")
    never = parse(CRON_TIMER, month=3, day="last sun", hour=2, minute="*/30", timezone="Europe/Berlin")
    assert why_no_fire(never, START).startswith("The clock of the zone never shows")
