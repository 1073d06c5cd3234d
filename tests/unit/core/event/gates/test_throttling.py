"""`throttle` against plain second implementations over the whole history, and clocks that are set back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from squall.core.event.gates.throttling import Counted, Waiting, first, last, nth

GAPS = st.lists(st.integers(0, 12), max_size=30)
WITHIN = 10


def times(gaps: list[int]) -> list[int]:
    """The times of events with these gaps between them."""
    return [sum(gaps[: at + 1]) for at in range(len(gaps))]


@given(GAPS)
def test_first_fires_if_it_has_not_fired_within_the_span(gaps: list[int]) -> None:
    start: int | None = None
    fired: list[int] = []
    for now in times(gaps):
        start, decision = first(start, WITHIN, now)
        assert decision.fires == all(now - earlier >= WITHIN for earlier in fired)
        assert bool(decision.reason) != decision.fires
        fired += [now] if decision.fires else []


@given(GAPS, st.integers(2, 5))
def test_count_fires_if_so_many_unused_events_are_within_the_span(gaps: list[int], threshold: int) -> None:
    counted: Counted = []
    unused: list[int] = []
    for number, at in enumerate(times(gaps), 1):
        counted, decision = nth(counted, number, at, threshold, WITHIN, at)
        unused.append(at)
        assert decision.fires == (sum(at - each < WITHIN for each in unused) >= threshold)
        unused = [] if decision.fires else unused


@given(st.permutations(range(8)), st.integers(2, 4))
def test_count_does_not_depend_on_the_order_within_the_span(order: list[int], threshold: int) -> None:
    counted: Counted = []
    fired = 0
    for at in order:
        counted, decision = nth(counted, at, at, threshold, WITHIN, 8)
        fired += decision.fires
    assert fired == 8 // threshold


def test_an_event_counts_once_however_often_it_is_evaluated() -> None:
    counted, _ = nth([], 1, 5, 2, WITHIN, 5)
    again, decision = nth(counted, 1, 5, 2, WITHIN, 6)
    assert (again, decision.fires) == (counted, False)


@given(GAPS)
def test_last_fires_for_the_newest_event_one_span_after_the_first(gaps: list[int]) -> None:
    waiting: Waiting | None = None
    events = list(enumerate(times(gaps)))
    fired: list[tuple[int, int]] = []
    for number, now in events:
        if waiting is not None and waiting.due <= now:
            fired.append((waiting.number, waiting.due))
            waiting = None
        waiting = last(waiting, Waiting(instance=str(number), number=number, due=0), WITHIN, now)
    if waiting is not None:
        fired.append((waiting.number, waiting.due))
    expected: list[tuple[int, int]] = []
    while events:
        due = events[0][1] + WITHIN
        expected.append((max(number for number, now in events if now < due), due))
        events = [(number, now) for number, now in events if now >= due]
    assert fired == expected


def test_an_older_event_does_not_replace_the_last_one_and_counts_once() -> None:
    newer = last(None, Waiting(instance="b", number=2, due=0), WITHIN, 0)
    both = last(newer, Waiting(instance="a", number=1, due=0), WITHIN, 1)
    assert (both.instance, both.count) == ("b", 2)
    assert last(both, Waiting(instance="b", number=2, due=0), WITHIN, 1).count == 2


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_a_clock_that_is_set_back_silences_a_rule_for_one_span_at_most(clock: list[int]) -> None:
    start = None
    for now in clock:
        start, _ = first(start, WITHIN, now)
        _, decision = first(start, WITHIN, now + WITHIN)
        assert decision.fires
    assert not first(1000, WITHIN, 500)[1].fires
    assert not first(500, WITHIN, 500)[1].fires


def test_a_clock_that_is_set_back_brings_the_last_event_forward_and_forgets_counts_of_the_future() -> None:
    waiting = last(None, Waiting(instance="a", number=1, due=0), WITHIN, 1000)
    assert last(waiting, Waiting(instance="b", number=2, due=0), WITHIN, 500).due == 510
    counted, decision = nth([(1, 1000)], 2, 500, 2, WITHIN, 500)
    assert (counted, decision.fires) == ([(2, 500)], False)
