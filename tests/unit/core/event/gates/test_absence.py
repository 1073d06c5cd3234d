"""`absent`: each event pushes the time out; the clock may be set back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squall.core.event.gates.absence import Absence, begun, came

WITHIN = 10


@given(st.lists(st.integers(0, 100), min_size=1))
def test_the_time_is_one_span_after_the_newest_event(times: list[int]) -> None:
    state = begun(WITHIN, 50)
    for number, at in enumerate(times):
        state = came(state, f"e{number}", at, WITHIN, 100)
    assert state.due == max(50, *times) + WITHIN


def test_the_event_after_which_it_fired_does_not_begin_a_new_time() -> None:
    fired = Absence(since=5, due=15, instance="a", fired=True)
    assert came(fired, "a", 5, WITHIN, 20) is fired
    assert came(fired, "b", 20, WITHIN, 20) == Absence(since=20, due=30, instance="b")


def test_an_event_after_the_clock_was_set_back_begins_a_new_time() -> None:
    assert came(Absence(since=1000, due=1010), "a", 500, WITHIN, 500) == Absence(since=500, due=510, instance="a")


def test_an_event_with_a_time_in_the_future_counts_as_one_of_now() -> None:
    assert came(None, "a", 10**9, WITHIN, 7) == Absence(since=7, due=17, instance="a")
