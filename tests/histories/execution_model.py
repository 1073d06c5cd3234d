"""What clients may see of one execution: the sequential model that histories of real clients are checked against.

The server moves an execution on by itself, and nobody records when. So a state says how far clients know it to be, and
a call may find it at any later status that Squall's own work can reach. What only clients do, such as a cancel, never
happens by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from tests.histories.checking import Model

from squall.core.execution.statuses import (
    ABANDONED,
    CANCELABLE,
    CANCELED,
    CANCELING,
    DELAYED,
    FINAL,
    PAUSED,
    PAUSING,
    PENDING,
    REQUESTED,
    RESUMING,
    TRANSITIONS,
)

ABSENT = "absent"
_BY_CLIENTS = {PENDING, PAUSING, PAUSED, RESUMING, CANCELING, CANCELED}
"""The statuses that an execution of the workload has only if a client wants it."""
_NOT_STARTED = {REQUESTED, DELAYED, PENDING}


class State(NamedTuple):
    """How far clients know an execution to be. `wanted` are the status and the tag that a client has completed it with,
    before it has ended; `tag` is the tag in its result. `size` is the known length of its output in bytes, and
    `is_whole` is true when this is all of it."""

    status: str = ABSENT
    wanted: tuple[str, str] | None = None
    tag: str = ""
    size: int = 0
    is_whole: bool = False


class Facts(NamedTuple):
    """What is certain before the run: the final status that the action reaches by itself, and its output in bytes.
    `may_be_abandoned`: its keeper may have been killed."""

    end: str
    size: int
    may_be_abandoned: bool


class Create(NamedTuple):
    """Requests the execution. Open calls and accepted ones are alike."""


class Read(NamedTuple):
    """Reads the status (or `ABSENT`) and the tag of the result."""

    status: str
    tag: str = ""


class Passed(NamedTuple):
    """A stream tells that the execution has taken this status, now or earlier."""

    status: str


class Cancel(NamedTuple):
    """Cancels. `status` is the one that it left (`accepted`), or the one for which it was refused; "" is any final one:
    PUT also refuses a canceled execution, which DELETE accepts."""

    answer: Literal["accepted", "refused", "open"]
    status: str = ""


class Complete(NamedTuple):
    """Ends the execution from outside with a status and a tag in its result."""

    answer: Literal["accepted", "refused", "open"]
    status: str
    tag: str


class Output(NamedTuple):
    """Reads all output that is there, in bytes."""

    size: int


Action = Create | Read | Passed | Cancel | Complete | Output


def model(facts: Facts) -> Model[State, Action]:
    """Returns the model of one execution."""

    def steps(state: State, action: Action) -> Iterable[State]:
        match action:
            case Create():
                return (State(REQUESTED),) if state.status == ABSENT else ()
            case Read(status, tag):
                return (after for after in _moved(state, facts) if (after.status, after.tag) == (status, tag))
            case Passed(status):
                return _passed(state, status, facts)
            case Cancel():
                return _cancelled(state, action, facts)
            case Complete():
                return _completed(state, action, facts)
            case Output(size):
                return _printed(state, size, facts)

    return Model(State(), steps, opened)


def opened(action: Action) -> Action | None:
    """Returns the action of a call whose answer nobody got; None if it then says and changes nothing."""
    match action:
        case Create():
            return action
        case Cancel():
            return Cancel("open")
        case Complete(_, status, tag):
            return Complete("open", status, tag)
    return None


def _next(state: State, facts: Facts) -> Iterator[State]:
    """Yields the states that follow by one step of the server's own."""
    if state.status == ABSENT:
        return
    for status in TRANSITIONS[state.status]:
        if status == CANCELED and state.status == CANCELING:
            yield state._replace(status=status)
        elif status in _BY_CLIENTS:
            continue
        elif status not in FINAL:
            yield state._replace(status=status)
        elif state.wanted is not None:
            if status == state.wanted[0]:
                yield state._replace(status=status, wanted=None, tag=state.wanted[1])
        elif status == facts.end or (status == ABANDONED and facts.may_be_abandoned):
            yield state._replace(status=status)


def _moved(state: State, facts: Facts) -> set[State]:
    """Returns the state and all that the server can reach from it by itself."""
    reached, waiting = {state}, [state]
    while waiting:
        for after in _next(waiting.pop(), facts):
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    return reached


def _passed(state: State, status: str, facts: Facts) -> Iterator[State]:
    moved = _moved(state, facts)
    yield from (after for after in moved if after.status == status)
    # It may be further by now: the stream tells the past.
    if state.status not in (ABSENT, status) and state.status in _after(status):
        yield state


def _after(status: str) -> set[str]:
    """Returns the statuses that may follow a status, at once or later."""
    reached: set[str] = set()
    waiting = [status]
    while waiting:
        more = TRANSITIONS[waiting.pop()] - reached
        reached |= more
        waiting += more
    return reached


def _cancelled(state: State, action: Cancel, facts: Facts) -> Iterator[State]:
    for found in _moved(state, facts):
        if found.status == ABSENT:
            continue
        if action.answer == "refused":
            ended = not action.status and found.status in FINAL
            if ended or (action.status == found.status and found.status not in {*CANCELABLE, CANCELED}):
                yield found
        elif found.status in {*CANCELABLE, CANCELED}:
            status = CANCELED if found.status in {*_NOT_STARTED, CANCELED} else CANCELING
            if action.answer == "open" or action.status == status:
                yield found._replace(status=status, wanted=None)


def _completed(state: State, action: Complete, facts: Facts) -> Iterator[State]:
    for found in _moved(state, facts):
        if found.status == ABSENT:
            continue
        impossible = found.status in {*FINAL, CANCELING, DELAYED} or found.wanted is not None
        if action.answer == "refused" and impossible:
            yield found
        elif action.answer != "refused" and not impossible:
            yield found._replace(wanted=(action.status, action.tag))


def _printed(state: State, size: int, facts: Facts) -> Iterator[State]:
    if state.status == ABSENT or size < state.size or size > facts.size:
        return
    if state.status not in FINAL:
        yield state._replace(size=size)
    elif not state.is_whole:
        # Only an action that ended by itself has printed everything.
        by_itself = state.status == facts.end and not state.tag
        if size == facts.size or not by_itself:
            yield state._replace(size=size, is_whole=True)
    elif size == state.size:
        yield state
