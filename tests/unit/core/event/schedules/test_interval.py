from __future__ import annotations

from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from squall.core.errors import InvalidError
from squall.core.event.schedules.fire import LATEST, SECOND
from squall.core.event.schedules.interval import UNITS, parse_interval

START = 1_774_738_800 * SECOND + 123_456
"""2026-03-29 00:00:00.123456 in Berlin, on the day on which its clock goes forward."""
UTC = ZoneInfo("UTC")


@pytest.mark.parametrize("unit", UNITS)
def test_fires_are_whole_intervals_behind_the_start(unit: str) -> None:
    timer = parse_interval({"unit": unit, "delta": 3}, START, UTC)
    step = 3 * UNITS[unit] * SECOND
    assert [each.at for each in islice(timer.fires(0), 3)] == [START + step, START + 2 * step, START + 3 * step]
    assert [each.at for each in islice(timer.fires(START + 2 * step), 1)] == [START + 3 * step]
    assert [each.at for each in islice(timer.fires(START + 2 * step - 1), 1)] == [START + 2 * step]


def test_an_interval_follows_real_time_over_a_change_of_the_clock() -> None:
    timer = parse_interval({"unit": "hours", "delta": "1", "timezone": "Europe/Berlin"}, START, UTC)
    assert [each.local[11:19] for each in islice(timer.fires(START), 3)] == ["01:00:00", "03:00:00", "04:00:00"]


def test_the_longest_interval_ends_with_the_calendar() -> None:
    timer = parse_interval({"unit": "weeks", "delta": 5228}, START, UTC)
    assert [each.local[:4] for each in islice(timer.fires(LATEST - 2 * timer.step), 5)] == ["9841", "9941"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "unit: None is not a unit of time. Use one of: weeks, days, hours, minutes, seconds."),
        ({"unit": "months", "delta": 1}, "unit: 'months'"),
        ({"unit": ["days"], "delta": 1}, "unit: "),
        ({"unit": "days"}, "delta: None is not a number of days. Use a whole number from 1 to 36600."),
        ({"unit": "days", "delta": 0}, "delta: 0"),
        ({"unit": "days", "delta": -1}, "delta: -1"),
        ({"unit": "days", "delta": True}, "delta: True"),
        ({"unit": "days", "delta": 1.5}, "delta: 1.5"),
        ({"unit": "days", "delta": "x"}, "delta: 'x'"),
        ({"unit": "days", "delta": 10**5000}, "delta: a number of thousands of digits"),
        ({"unit": "weeks", "delta": 10_000}, "delta: 10000"),
        ({"unit": "days", "delta": 1, "timezone": "../etc/passwd"}, "timezone: '../etc/passwd'"),
        ({"unit": "days", "delta": 1, "timezone": "America"}, "timezone: 'America'"),
        ({"unit": "days", "delta": 1, "timezone": 7}, "timezone: 7"),
    ],
    ids=range(14),
)
def test_wrong_parameters_are_refused_by_field(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidError) as error:
        parse_interval(parameters, START, UTC)
    assert str(error.value).startswith(message)
