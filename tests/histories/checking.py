"""Checks whether a history of concurrent calls is linearizable: whether each call can have happened as a whole at one
moment between its invocation and its response, in an order that a sequential model allows.

The method is the just-in-time linearization of Wing & Gong's search that Lowe describes: calls are linearized only when
a response needs it, and the set of all (linearized calls, state) that are possible is kept without repetitions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from math import inf
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)
A = TypeVar("A")


class Call(NamedTuple, Generic[A]):
    """One call of one client, from `invoked` to `returned` (any clock that only goes forward; in seconds).

    `returned` is `inf` for an open call: nobody knows whether it happened or ever will. `action` is what was called and
    answered, for the model.
    """

    client: str
    invoked: float
    returned: float
    action: A


class Model(NamedTuple, Generic[S, A]):
    """The sequential behaviour. `steps` returns the states that may follow a state by a call: none if this is not
    allowed. `opened` returns the action of a call without its answer; None if the call changes nothing then."""

    initial: S
    steps: Callable[[S, A], Iterable[S]]
    opened: Callable[[A], A | None]


class Failure(NamedTuple, Generic[S, A]):
    """A history that is not linearizable: the calls of `window` contradict each other whichever state of `before` they
    began with, and none can be left out. At the answer of `at` this shows; `states` were possible before it."""

    window: tuple[Call[A], ...]
    before: frozenset[S]
    at: Call[A]
    states: frozenset[S]

    def __str__(self) -> str:
        begin = min(call.invoked for call in self.window)
        lines = [f"This history is not linearizable ({len(self.window)} calls, times in ms):"]
        for call in sorted(self.window, key=lambda call: call.invoked):
            until = "      open" if call.returned == inf else f"{(call.returned - begin) * 1000:10.1f}"
            mark = "  <- impossible" if call is self.at else ""
            lines.append(f"{(call.invoked - begin) * 1000:10.1f} {until}  {call.client:12} {call.action}{mark}")
        lines += ["Possible before the impossible answer:", *sorted(f"    {state}" for state in self.states)]
        return "\n".join(lines)


class _Dead(NamedTuple, Generic[S, A]):
    """The first call whose response is impossible, and the states that were possible before it."""

    call: Call[A]
    states: frozenset[S]


def check(history: Sequence[Call[A]], model: Model[S, A]) -> Failure[S, A] | None:
    """Returns None if the history is linearizable, else the shortest window of it that shows why it is not."""
    every_state = {model.initial}
    dead = _search(history, every_state, model)
    if dead is None:
        return None
    # Calls that began after the impossible answer have no part in it.
    calls = [call for call in history if call.invoked <= dead.call.returned]
    before = {model.initial}
    for begin in sorted({call.invoked for call in calls}, reverse=True):
        window = _since(calls, begin, model)
        if _search(window, set(every_state), model) is not None:
            calls, before = window, every_state
            break
    for call in sorted(calls, key=lambda call: -call.invoked):
        fewer = _without(calls, call, model)
        if fewer is not None and _search(fewer, set(before), model) is not None:
            calls = fewer
    dead = _search(calls, set(before), model)
    assert dead is not None
    window = [call for call in calls if call.invoked <= dead.call.returned]
    return Failure(tuple(window), frozenset(before), dead.call, dead.states)


def _since(calls: Sequence[Call[A]], begin: float, model: Model[S, A]) -> list[Call[A]]:
    """Returns the calls that begin at `begin` or later. Those that are under way then may have happened before, so they
    lose their answers."""
    window = [call for call in calls if call.invoked >= begin]
    for call in calls:
        if call.invoked < begin <= call.returned and (opened := model.opened(call.action)) is not None:
            window.append(call._replace(returned=inf, action=opened))
    return window


def _without(calls: list[Call[A]], left_out: Call[A], model: Model[S, A]) -> list[Call[A]] | None:
    """Returns the calls without the answer of one, which says less than they do. Returns None if it has no answer."""
    if left_out.returned == inf:
        return None
    opened = model.opened(left_out.action)
    if opened is None:
        return [call for call in calls if call is not left_out]
    return [call._replace(returned=inf, action=opened) if call is left_out else call for call in calls]


def _search(history: Sequence[Call[A]], states: set[S], model: Model[S, A]) -> _Dead[S, A] | None:
    """Returns None if the history is linearizable from one of the states. Adds all states that it reaches to them."""
    # At one moment, invocations come first: calls that touch each other are concurrent.
    events = sorted(
        (moment, is_return, number)
        for number, call in enumerate(history)
        for is_return, moment in enumerate((call.invoked, call.returned))
        if moment < inf
    )
    pending: set[int] = set()
    possible: set[tuple[frozenset[int], S]] = {(frozenset(), state) for state in states}
    for _, is_return, number in events:
        if not is_return:
            pending.add(number)
            continue
        following = _linearized(possible, number, pending, history, model)
        if not following:
            return _Dead(history[number], frozenset(state for _, state in possible))
        possible = following
        states |= {state for _, state in possible}
        pending.remove(number)
    return None


def _linearized(
    possible: set[tuple[frozenset[int], S]],
    needed: int,
    pending: set[int],
    history: Sequence[Call[A]],
    model: Model[S, A],
) -> set[tuple[frozenset[int], S]]:
    """Returns what is possible when the call `needed` has happened, behind none or some of the pending calls."""
    reached = {(done - {needed}, state) for done, state in possible if needed in done}
    waiting = [configuration for configuration in possible if needed not in configuration[0]]
    seen = set(waiting)
    while waiting:
        done, state = waiting.pop()
        reached |= {(done, after) for after in model.steps(state, history[needed].action)}
        for number in pending - done - {needed}:
            for after in model.steps(state, history[number].action):
                configuration = (done | {number}, after)
                if configuration not in seen:
                    seen.add(configuration)
                    waiting.append(configuration)
    return reached
