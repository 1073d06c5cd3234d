"""The checker of histories: it agrees with trying out every order, and shows little of a long history that is wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.histories.checking import Call, Model, check


class Step(NamedTuple):
    """A call of a register that holds a number: `write n`, `read n`, or `swap old new`, which tells whether it did."""

    name: str
    value: int
    new: int = 0
    done: bool | None = None


def steps(state: int, step: Step) -> Iterable[int]:
    if step.name == "write":
        return (step.value,)
    if step.name == "read":
        return (state,) if state == step.value else ()
    does = state == step.value
    if step.done is not None and does != step.done:
        return ()
    return (step.new if does else state,)


def opened(step: Step) -> Step | None:
    return None if step.name == "read" else step._replace(done=None)


REGISTER = Model(0, steps, opened)


def linearizable_by_trying(history: Sequence[Call[Step]], before: Iterable[int] = (0,)) -> bool:
    """Tries every order of every choice of calls that includes all that have returned, from each state."""
    answered = [call for call in history if call.returned < inf]
    open_calls = [call for call in history if call.returned == inf]
    return any(
        _fits(order, before)
        for count in range(len(open_calls) + 1)
        for some in itertools.combinations(open_calls, count)
        for order in itertools.permutations([*answered, *some])
    )


def _fits(order: Sequence[Call[Step]], before: Iterable[int]) -> bool:
    if any(later.returned < earlier.invoked for earlier, later in itertools.combinations(order, 2)):
        return False
    states = set(before)
    for call in order:
        states = {after for state in states for after in steps(state, call.action)}
    return bool(states)


numbers = st.integers(0, 2)
some_steps = st.one_of(
    st.builds(Step, st.just("write"), numbers),
    st.builds(Step, st.just("read"), numbers),
    st.builds(Step, st.just("swap"), numbers, numbers, st.booleans()),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Call[Step]]:
    calls = []
    for number in range(draw(st.integers(1, 5))):
        invoked = draw(st.integers(0, 6))
        step = draw(some_steps)
        returned: float = invoked + draw(st.integers(0, 5))
        if draw(st.integers(0, 3)) == 0:
            if (unanswered := opened(step)) is None:
                continue
            step, returned = unanswered, inf
        calls.append(Call(f"c{number}", invoked, returned, step))
    return calls


@pytest.mark.hypothesis
@given(histories())
def test_it_agrees_with_trying_every_order(history: list[Call[Step]]) -> None:
    failure = check(history, REGISTER)
    assert (failure is None) == linearizable_by_trying(history)
    if failure is not None:
        # What is shown is wrong by itself, with calls whose answers were left out as open ones.
        assert not linearizable_by_trying(failure.window, failure.before)
        assert failure.at in failure.window


def write(client: str, begin: float, end: float, value: int) -> Call[Step]:
    return Call(client, begin, end, Step("write", value))


def read(client: str, begin: float, end: float, value: int) -> Call[Step]:
    return Call(client, begin, end, Step("read", value))


REFUSED = {
    "a stale read": [write("a", 0, 1, 1), read("b", 2, 3, 0)],
    "a lost write": [write("a", 0, 1, 1), read("b", 2, 3, 1), read("b", 4, 5, 0)],
    "two orders of two writes": [
        write("a", 0, 9, 1), write("b", 0, 9, 2),
        read("c", 1, 2, 1), read("c", 3, 4, 2), read("c", 5, 6, 1),
    ],
    "a value from nowhere": [write("a", 0, 1, 1), read("b", 0, 1, 7)],
    "an open write that came and went": [
        Call("a", 0, inf, Step("write", 1)), read("b", 1, 2, 1), read("c", 3, 4, 0),
    ],
    "a swap that was done twice": [
        Call("a", 0, 5, Step("swap", 0, 1, True)), Call("b", 0, 5, Step("swap", 0, 1, True)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("history", REFUSED.values(), ids=REFUSED.keys())
def test_known_histories_that_are_not_linearizable_are_refused(history: list[Call[Step]]) -> None:
    assert check(history, REGISTER) is not None


ALLOWED = {
    "reads beside a write": [write("a", 0, 9, 1), read("b", 1, 2, 0), read("b", 3, 4, 1)],
    "an open write that happens late": [
        Call("a", 0, inf, Step("write", 1)), read("b", 1, 2, 0), write("b", 3, 4, 2), read("b", 5, 6, 1),
    ],
    "an open write that never happens": [Call("a", 0, inf, Step("write", 1)), read("b", 1, 2, 0)],
    "calls that touch each other": [write("a", 0, 1, 1), read("b", 1, 2, 0)],
}  # fmt: skip


@pytest.mark.parametrize("history", ALLOWED.values(), ids=ALLOWED.keys())
def test_known_histories_that_are_linearizable_are_accepted(history: list[Call[Step]]) -> None:
    assert check(history, REGISTER) is None


def test_of_a_long_history_only_the_calls_that_contradict_each_other_are_shown() -> None:
    before = [call for n in range(100) for call in (write("a", 2 * n, 2 * n + 1, 2), read("b", 2 * n, 2 * n + 2, 2))]
    history = [*before, write("a", 300, 301, 1), read("b", 302.5, 303, 2), read("b", 304, 305, 1)]
    failure = check(history, REGISTER)
    assert failure is not None
    assert failure.at == read("b", 302.5, 303, 2)
    assert failure.window == (write("a", 300, 301, 1), read("b", 302.5, 303, 2))


def test_a_failure_says_what_was_called_and_what_was_possible() -> None:
    failure = check([write("ada", 10, 10.001, 1), read("bob", 10.002, 10.0035, 0)], REGISTER)
    text = str(failure)
    assert text.splitlines()[1:] == [
        "       0.0        1.0  ada          Step(name='write', value=1, new=0, done=None)",
        "       2.0        3.5  bob          Step(name='read', value=0, new=0, done=None)  <- impossible",
        "Possible before the impossible answer:",
        "    1",
    ]
