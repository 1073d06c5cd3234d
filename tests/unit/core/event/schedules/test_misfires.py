from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.event.schedules.fire import SECOND
from squall.core.event.schedules.lateness import Policy
from squall.core.event.schedules.misfires import MOST_SINGLE, ON_TIME, Due, due
from squall.core.event.schedules.schedule import (
    CRON_TIMER,
    DATE_TIMER,
    INTERVAL_TIMER,
    Schedule,
    fires_between,
    parse_schedule,
)

START = 1_774_656_000 * SECOND
"""2026-03-28 00:00 in UTC, the day before the clock goes forward in Berlin."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def cron(line: str) -> Schedule:
    return parse_schedule(CRON_TIMER, {"cron": line, "timezone": "Europe/Berlin"}, START, ZoneInfo("UTC"))


def minutes(result: Due) -> tuple[list[int], list[int]]:
    """The fires that happen and those that are missed, as minutes behind START."""
    return (
        [(each.at - START) // MINUTE for each in result.happens],
        [(each.at - START) // MINUTE for each in result.missed],
    )


def test_a_fire_on_time_happens_under_every_policy() -> None:
    for misfire in ("skip", "once", "all"):
        policy = Policy(misfire=misfire, window=0)
        assert minutes(due(cron("*/5 * * * *"), policy, START, START + 5 * MINUTE + ON_TIME)) == ([5], [])


@pytest.mark.parametrize(
    ("policy", "happens", "reason"),
    [
        (Policy(misfire="skip"), [], "The server missed it, and the misfire policy is skip."),
        (
            Policy(misfire="once"),
            [170],
            "The server missed it, and the fire of 2026-03-28T03:50:00+01:00 stands for it",
        ),
        (Policy(misfire="all"), [120, 130, 140, 150, 160, 170], ""),
        (Policy(misfire="all", most=2), [160, 170], "The server missed it, and only the newest 2 fires happen"),
    ],
)
def test_the_policy_decides_about_missed_fires_within_the_window(
    policy: Policy, happens: list[int], reason: str
) -> None:
    result = due(cron("*/10 * * * *"), policy, START, START + 175 * MINUTE)
    assert minutes(result) == (happens, [each for each in range(10, 171, 10) if each not in happens])
    assert result.missed[0].reason.endswith("older than the misfire window of 3600 s.")
    assert result.missed[-1].reason.startswith(reason)
    assert result.until == START + 175 * MINUTE


def test_a_fire_on_time_stands_for_missed_ones() -> None:
    assert minutes(due(cron("*/10 * * * *"), Policy(), START, START + 30 * MINUTE)) == ([30], [10, 20])


def test_the_window_includes_its_end() -> None:
    hourly = cron("@hourly")
    assert minutes(due(hourly, Policy(window=HOUR), START, START + 2 * HOUR - 1))[0] == [60]
    assert minutes(due(hourly, Policy(window=HOUR // 2), START, START + 90 * MINUTE))[0] == [60]
    assert minutes(due(hourly, Policy(window=HOUR // 2), START, START + 90 * MINUTE + 1)) == ([], [60])


def test_a_late_date_happens_once() -> None:
    date = parse_schedule(DATE_TIMER, {"date": "2026-03-28 00:30"}, START, ZoneInfo("UTC"))
    first = due(date, Policy(), START, START + HOUR)
    assert minutes(first) == ([30], [])
    assert due(date, Policy(), first.until, START + 2 * HOUR) == Due((), (), START + 2 * HOUR)


def test_thousands_of_missed_fires_are_listed_up_to_a_limit_and_then_as_one_record_for_each_reason() -> None:
    every_second = cron("* * * * * *")
    result = due(every_second, Policy(misfire="skip"), START, START + 30 * 24 * HOUR)
    assert len(result.missed) == MOST_SINGLE + 2
    older, skipped = result.missed[MOST_SINGLE:]
    assert (older.at, older.last) == (START + (MOST_SINGLE + 1) * SECOND, result.until - HOUR - SECOND)
    assert (skipped.at, skipped.last) == (result.until - HOUR, result.until - ON_TIME - SECOND)
    assert "older than the misfire window" in older.reason
    assert "misfire policy is skip" in skipped.reason
    assert len(result.happens) == ON_TIME // SECOND + 1


TIMERS = st.sampled_from(["*/15 * * * *", "7 * * * *", "0 2 * * *", "30 2 * * *", "*/10 2,3 * * *", "*/20 * * * * *"])
POLICIES = st.builds(
    Policy,
    misfire=st.sampled_from(["skip", "once", "all"]),
    window=st.sampled_from([0, MINUTE, HOUR, 24 * HOUR]),
    most=st.integers(1, 5),
)
STEPS = st.lists(
    st.integers(-HOUR, 2 * HOUR) | st.sampled_from([HOUR, -HOUR, 0, 6 * HOUR]) | st.integers(0, 30 * SECOND),
    min_size=1,
    max_size=25,
)


@given(line=TIMERS, policy=POLICIES, steps=STEPS, origin=st.sampled_from([START, START + 210 * 24 * HOUR]))
def test_no_fire_is_lost_or_doubled_however_the_clock_of_the_server_jumps(
    line: str, policy: Policy, steps: list[int], origin: int
) -> None:
    schedule = cron(line)
    last = now = origin
    times: list[int] = []
    for step in steps:
        now += step
        result = due(schedule, policy, last, now)
        times += [each.at for each in result.happens]
        for each in result.missed:
            assert each.reason
            times += [between.at for between in fires_between(schedule, each.at - 1, each.last)]
        assert result.until >= last
        last = result.until
    assert sorted(times) == [each.at for each in fires_between(schedule, origin, last)]


def test_a_clock_that_goes_back_fires_nothing_again() -> None:
    timer = parse_schedule(INTERVAL_TIMER, {"unit": "minutes", "delta": 10}, START, ZoneInfo("UTC"))
    first = due(timer, Policy(), START, START + HOUR)
    assert due(timer, Policy(), first.until, START + 10 * MINUTE) == Due((), (), START + HOUR)
    assert due(timer, Policy(), first.until, first.until - 1) == Due((), (), START + HOUR)
    assert minutes(due(timer, Policy(), first.until, START + 70 * MINUTE)) == ([70], [])
