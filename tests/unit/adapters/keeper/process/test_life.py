"""The table of a child's life."""

from __future__ import annotations

import pytest

from squall.adapters.keeper.process.life import LIVING, TRANSITIONS, Event, IllegalEventError, State, after, possible


def reached(start: State) -> set[State]:
    seen = {start}
    waiting = [start]
    while waiting:
        fresh = set(TRANSITIONS[waiting.pop()].values()) - seen
        seen |= fresh
        waiting += fresh
    return seen


def test_every_state_can_be_reached_and_only_the_last_is_final() -> None:
    assert reached(State.STARTING) == set(State) == set(TRANSITIONS)
    assert [state for state in State if not TRANSITIONS[state]] == [State.ENDED]


@pytest.mark.parametrize("state", State)
def test_every_life_can_end(state: State) -> None:
    assert State.ENDED in reached(state)


@pytest.mark.parametrize("state", [state for state in State if state is not State.ENDED])
def test_whatever_has_not_ended_can_be_stopped_and_twice_is_once(state: State) -> None:
    stopped = after(state, Event.STOP)
    assert after(stopped, Event.STOP) is stopped


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_an_event_that_cannot_happen_is_an_error_that_names_both(state: State, event: Event) -> None:
    if possible(state, event):
        assert after(state, event) in State
        return
    with pytest.raises(IllegalEventError, match=f"{event.name} cannot happen to a child that is {state.name}"):
        after(state, event)


def test_a_process_exits_once_and_only_where_it_lives() -> None:
    assert {state for state in State if possible(state, Event.EXITED)} == LIVING
    assert not any(possible(after(state, Event.EXITED), Event.EXITED) for state in LIVING)


def test_an_end_is_told_only_when_no_process_is_left_to_be_stopped() -> None:
    assert {state for state in State if possible(state, Event.STORED)} == {State.LINGERING, State.GONE}
