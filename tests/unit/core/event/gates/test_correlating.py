"""`correlate` against a search over all events that were not used up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from squall.core.event.gates.correlating import MOST_EVENTS, Arrived, Correlated, correlate

WITHIN = 10
PLACES = 3
EVENTS = st.lists(
    st.tuples(st.integers(0, 6), st.sets(st.integers(0, PLACES - 1), min_size=1, max_size=2)), max_size=24
)


def arrivals(events: Sequence[tuple[int, set[int]]]) -> list[Arrived]:
    """Events with these gaps between them and these places."""
    ends = itertools.accumulate(gap for gap, _ in events)
    return [
        Arrived(number, at, f"e{number}", tuple(sorted(places)))
        for number, (at, (_, places)) in enumerate(zip(ends, events, strict=True), 1)
    ]


def is_complete(kind: str, events: list[Arrived]) -> bool:
    """Tries every choice of events."""
    taken = {place for each in events for place in each.places}
    if kind == "all":
        return taken == set(range(PLACES))
    if kind == "any":
        return 0 in taken and len(taken) > 1
    return any(
        all(place in each.places for place, each in enumerate(chain))
        for chain in itertools.combinations(events, PLACES)
    )


@given(st.sampled_from(["all", "any", "sequence"]), EVENTS)
def test_a_group_is_complete_when_a_search_over_its_unused_events_says_so(
    kind: str, events: list[tuple[int, set[int]]]
) -> None:
    state = Correlated()
    unused: list[Arrived] = []
    for event in arrivals(events):
        progress = correlate(kind, PLACES, WITHIN, state, event, event.at)
        state = progress.state
        unused = [each for each in [*unused, event] if event.at - each.at < WITHIN]
        assert bool(progress.complete) == is_complete(kind, unused)
        assert bool(progress.reason) != bool(progress.complete)
        if progress.complete:
            assert set(progress.complete) <= set(unused)
            assert len(progress.complete) == (2 if kind == "any" else PLACES)
            assert all(kind == "any" or place in each.places for place, each in enumerate(progress.complete))
            unused = []


def test_a_sequence_evaluated_out_of_order_is_complete_in_the_order_of_storing() -> None:
    first, second = Arrived(1, 1, "a", (0,)), Arrived(2, 2, "b", (1,))
    state = correlate("sequence", 2, WITHIN, Correlated(), second, 3).state
    assert correlate("sequence", 2, WITHIN, state, first, 3).complete == (first, second)


def test_an_event_that_completed_a_group_does_not_begin_the_next_one() -> None:
    event = Arrived(1, 1, "a", (0, 1))
    progress = correlate("all", 2, WITHIN, Correlated(), event, 1)
    assert progress.complete == (event, event)
    again = correlate("all", 2, WITHIN, progress.state, event, 1)
    assert (again.state, again.complete) == (progress.state, ())


def test_events_from_before_the_clock_was_set_back_are_forgotten() -> None:
    state = Correlated(events=(Arrived(1, 1000, "a", (0,)),))
    progress = correlate("all", 2, WITHIN, state, Arrived(2, 500, "b", (1,)), 500)
    assert [each.number for each in progress.state.events] == [2]


def test_the_state_is_bounded_and_keeps_the_newest_events_of_each_place() -> None:
    state = correlate("sequence", 3, 10**9, Correlated(), Arrived(1, 1, "a", (0,)), 1).state
    for number in range(2, 5 * MOST_EVENTS):
        state = correlate("sequence", 3, 10**9, state, Arrived(number, number, "b", (1,)), number).state
    assert len(state.events) == MOST_EVENTS + 1
    progress = correlate("sequence", 3, 10**9, state, Arrived(10**6, 10**6, "c", (2,)), 10**6)
    assert [each.instance for each in progress.complete] == ["a", "b", "c"]


def test_the_reason_names_the_missing_events() -> None:
    def reason(kind: str, *places: int) -> str:
        return correlate(kind, 3, WITHIN, Correlated(), Arrived(1, 1, "a", places), 1).reason

    assert reason("all", 0) == "correlated: waits for events 1 and 2"
    assert reason("any", 0) == "correlated: waits for event 1 or 2"
    assert reason("sequence", 1, 2) == "correlated: waits for event 0"
