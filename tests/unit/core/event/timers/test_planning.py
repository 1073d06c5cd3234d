"""What a timer does at a moment."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from squall.core.event.rules.records import make_trigger
from squall.core.event.timers.planning import MOST_FIRES, Plan, begun, fires_in, plan, preview, resumed
from squall.core.event.timers.records import Pause, Timer
from squall.testing.samples import NOON, sample_id

UTC = ZoneInfo("UTC")
SECOND = 1_000_000
HOUR = 3_600 * SECOND


def timer(kind: str = "IntervalTimer", **parameters: Any) -> Timer:
    parameters = {"unit": "seconds", "delta": 60, **parameters} if kind == "IntervalTimer" else parameters
    trigger = make_trigger(f"core.st2.{kind}", parameters, sample_id(1), "t")
    return begun(Timer(trigger=trigger, start=NOON, last=NOON), UTC)


def paused(since: float, until: float | None = None, **parameters: Any) -> Timer:
    end = None if until is None else NOON + int(until * SECOND)
    pause = Pause(by="ada", reason="deploy", since=NOON + int(since * SECOND), until=end)
    return msgspec.structs.replace(timer(**parameters), pause=pause, next=None)


def seconds(decided: Plan) -> list[float]:
    return [(fire.at - NOON) / SECOND for fire in decided.happens]


def test_a_fire_happens_at_its_time_and_the_next_one_is_due() -> None:
    decided = plan(timer(), UTC, NOON + 60 * SECOND)
    assert (seconds(decided), decided.missed, decided.due) == ([60], (), NOON + 120 * SECOND)
    assert plan(decided.timer, UTC, NOON + 60 * SECOND).happens == ()


def test_nothing_happens_twice_when_the_clock_goes_back() -> None:
    decided = plan(timer(), UTC, NOON + 90 * SECOND)
    back = plan(decided.timer, UTC, NOON + 30 * SECOND)
    assert (seconds(decided), seconds(back), back.missed) == ([60], [], ())
    assert seconds(plan(back.timer, UTC, NOON + 120 * SECOND)) == [120]


def test_each_fire_of_a_clock_that_goes_forward_happens_or_is_missed_with_its_reason() -> None:
    decided = plan(timer(), UTC, NOON + HOUR)
    assert seconds(decided) == [3600]
    assert len(decided.missed) == 59
    assert all("misfire once" in each.reason or "misfire policy" in each.reason for each in decided.missed)


def test_many_fires_happen_in_several_turns() -> None:
    decided = plan(timer(delta=1, misfire="all", misfire_most=250), UTC, NOON + 250 * SECOND)
    counts = []
    while decided.happens:
        counts.append(len(decided.happens))
        decided = plan(decided.timer, UTC, NOON + 250 * SECOND)
    assert counts == [MOST_FIRES, MOST_FIRES, 50]
    assert decided.missed == ()


def test_a_paused_timer_is_not_due() -> None:
    decided = plan(paused(since=0), UTC, NOON + HOUR)
    assert (decided.happens, decided.missed, decided.due) == ((), (), None)


def test_the_fires_before_a_pause_happen() -> None:
    decided = plan(paused(since=61), UTC, NOON + 62 * SECOND)
    assert (seconds(decided), decided.due) == ([60], None)


def test_a_pause_ends_at_its_time_and_one_record_stands_for_its_fires() -> None:
    waiting = plan(paused(since=0, until=150), UTC, NOON + 100 * SECOND)
    assert waiting.due == NOON + 150 * SECOND
    ended = plan(waiting.timer, UTC, NOON + 180 * SECOND)
    (missed,) = ended.missed
    assert ((missed.at - NOON) / SECOND, (missed.last - NOON) / SECOND) == (60, 120)
    assert "ada" in missed.reason
    assert "deploy" in missed.reason
    assert ended.more
    assert seconds(plan(ended.timer, UTC, NOON + 180 * SECOND)) == [180]


def test_a_timer_that_is_resumed_begins_at_the_present() -> None:
    decided = resumed(paused(since=0), UTC, NOON + 130 * SECOND)
    assert [(each.at, each.last) for each in decided.missed] == [(NOON + 60 * SECOND, NOON + 120 * SECOND)]
    assert (decided.timer.pause, decided.due) == (None, NOON + 180 * SECOND)


def test_a_timer_that_is_resumed_forgets_that_the_clock_was_ahead() -> None:
    ahead = plan(timer(), UTC, NOON + 1_000 * HOUR).timer
    held = msgspec.structs.replace(ahead, pause=Pause(by="ada", since=NOON))
    assert resumed(held, UTC, NOON + 61 * SECOND).due == NOON + 120 * SECOND


def test_a_timer_of_the_future_that_is_resumed_begins_at_the_present() -> None:
    held = msgspec.structs.replace(timer(), start=NOON + HOUR, last=NOON + HOUR, pause=Pause(by="ada", since=NOON))
    assert resumed(held, UTC, NOON).due == NOON + 60 * SECOND


def test_a_timer_that_is_not_paused_is_resumed_without_a_change() -> None:
    assert resumed(timer(), UTC, NOON + HOUR).timer == timer()


def test_a_preview_has_the_next_fires_and_says_which_ones_a_pause_takes() -> None:
    fires, reason = preview(paused(since=0, until=90), UTC, NOON, 2)
    assert ([(fire.at - NOON) // SECOND for fire in fires], reason) == ([60, 120], "")
    assert "ada paused the timer: deploy" in fires[0].note
    assert fires[1].note == ""


def test_a_preview_without_fires_says_why() -> None:
    fires, reason = preview(timer("DateTimer", date="2020-01-01T00:00:00Z"), UTC, NOON, 2)
    assert fires == []
    assert "is over" in reason


def test_a_date_that_is_over_is_never_due() -> None:
    assert timer("DateTimer", date="2020-01-01T00:00:00Z").next is None


def test_the_zone_of_the_server_is_known_unless_the_timer_names_one() -> None:
    assert timer("CronTimer", hour=3).zone == "UTC"
    assert timer("CronTimer", hour=3, timezone="Europe/Berlin").zone == ""


def test_a_range_has_its_ends() -> None:
    at = [(fire.at - NOON) // SECOND for fire in fires_in(timer(), UTC, NOON + 60 * SECOND, NOON + 180 * SECOND)]
    assert at == [60, 120, 180]
