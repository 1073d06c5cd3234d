"""The model of one execution: it accepts what clients may see, and refuses what must never be seen."""

from __future__ import annotations

from math import inf

import pytest
from tests.histories.checking import Call, check
from tests.histories.execution_model import (
    ABSENT,
    Action,
    Cancel,
    Complete,
    Create,
    Facts,
    Output,
    Passed,
    Read,
    model,
)

FACTS = Facts(end="succeeded", size=10, may_be_abandoned=False)
ABANDONABLE = FACTS._replace(may_be_abandoned=True)
CREATE, RUNNING, SUCCEEDED = Create(), Read("running"), Read("succeeded")


def linearizable(*actions: Action, facts: Facts = FACTS) -> bool:
    """Checks calls that follow each other; an open call stays open."""
    calls = []
    for number, action in enumerate(actions):
        is_open = isinstance(action, (Cancel, Complete)) and action.answer == "open"
        calls.append(Call("c", 2 * number, inf if is_open else 2 * number + 1, action))
    return check(calls, model(facts)) is None


def completed(answer: str, status: str = "failed") -> Complete:
    return Complete("accepted" if answer == "accepted" else "open" if answer == "open" else "refused", status, "t")


ALLOWED: dict[str, tuple[Action, ...]] = {
    "it runs to its end": (Read(ABSENT), CREATE, Read("requested"), RUNNING, Output(3), SUCCEEDED, Output(10)),
    "a cancel stops it": (CREATE, RUNNING, Cancel("accepted", "canceling"), Read("canceling"), Read("canceled")),
    "a cancel before its start ends it": (CREATE, Cancel("accepted", "canceled"), Read("canceled")),
    "a second cancel changes nothing": (CREATE, Cancel("accepted", "canceled"), Cancel("accepted", "canceled")),
    "a cancel comes too late": (CREATE, SUCCEEDED, Cancel("refused", "succeeded")),
    "a cancel by PUT finds it canceled": (CREATE, Cancel("accepted", "canceled"), Cancel("refused")),
    "an open cancel happens later": (CREATE, Cancel("open"), RUNNING, Read("canceled")),
    "an open cancel never happens": (CREATE, Cancel("open"), RUNNING, SUCCEEDED),
    "a client completes it": (CREATE, RUNNING, completed("accepted"), RUNNING, Read("failed", "t"), Output(3)),
    "a second client is too late": (CREATE, completed("accepted"), completed("refused"), Read("failed", "t")),
    "a cancel overtakes a completion": (CREATE, RUNNING, completed("accepted"), Cancel("accepted", "canceling"),
                                        Read("canceled")),
    "a stream tells the past": (CREATE, SUCCEEDED, Passed("requested"), Passed("running"), SUCCEEDED),
    "a stream tells what is new": (CREATE, Passed("running"), RUNNING, SUCCEEDED),
}  # fmt: skip
REFUSED: dict[str, tuple[Action, ...]] = {
    "accepted and gone": (CREATE, Read(ABSENT)),
    "there before its request": (Read("requested"), CREATE),
    "back to an earlier status": (CREATE, RUNNING, Read("scheduled")),
    "an end that is taken back": (CREATE, SUCCEEDED, RUNNING),
    "two ends": (CREATE, SUCCEEDED, Read("failed")),
    "an end that is not the action's": (CREATE, Read("failed")),
    "abandoned without the death of a keeper": (CREATE, Read("abandoned")),
    "canceled by nobody": (CREATE, RUNNING, Read("canceled")),
    "a cancel that is forgotten": (CREATE, Cancel("accepted", "canceling"), RUNNING),
    "a cancel that changes nothing": (CREATE, Cancel("accepted", "canceled"), SUCCEEDED),
    "a cancel by PUT refused before the end": (CREATE, RUNNING, Cancel("refused"), RUNNING),
    "a cancel refused for nothing": (CREATE, Cancel("refused", "succeeded"), RUNNING),
    "a completion that is forgotten": (CREATE, RUNNING, completed("accepted"), SUCCEEDED),
    "two completions": (CREATE, completed("accepted"), completed("accepted")),
    "a completion refused for nothing": (CREATE, RUNNING, completed("refused"), RUNNING),
    "a result of a running execution": (CREATE, completed("accepted"), Read("running", "t")),
    "output that shrinks": (CREATE, RUNNING, Output(5), Output(4)),
    "output after the end": (CREATE, Cancel("accepted", "canceling"), Read("canceled"), Output(3), Output(4)),
    "an end without all output": (CREATE, SUCCEEDED, Output(9)),
    "output that nobody printed": (CREATE, RUNNING, Output(11)),
    "a stream that tells what never was": (CREATE, SUCCEEDED, Passed("canceling")),
    "told running, read requested": (CREATE, Passed("running"), Read("requested"), Read("delayed")),
}  # fmt: skip


@pytest.mark.parametrize("actions", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_clients_may_see_is_accepted(actions: tuple[Action, ...]) -> None:
    assert linearizable(*actions)


@pytest.mark.parametrize("actions", REFUSED.values(), ids=REFUSED.keys())
def test_what_clients_must_never_see_is_refused(actions: tuple[Action, ...]) -> None:
    assert not linearizable(*actions)


def test_an_execution_may_be_abandoned_only_after_the_death_of_a_keeper() -> None:
    assert linearizable(CREATE, RUNNING, Read("abandoned"), facts=ABANDONABLE)
    assert not linearizable(CREATE, RUNNING, Read("abandoned"))


def test_a_request_without_an_answer_may_have_happened_or_not() -> None:
    lost = Call[Action]("a", 0, inf, CREATE)
    assert check([lost, Call("b", 1, 2, Read(ABSENT)), Call("b", 3, 4, SUCCEEDED)], model(FACTS)) is None
    assert check([lost, Call("b", 1, 2, SUCCEEDED), Call("b", 3, 4, Read(ABSENT))], model(FACTS)) is not None


def test_calls_at_the_same_time_may_have_happened_in_any_order() -> None:
    created = Call[Action]("a", 0, 1, CREATE)
    cancel = Call[Action]("a", 2, 5, Cancel("accepted", "canceling"))
    complete = Call[Action]("b", 2, 5, completed("accepted"))
    ends = Call[Action]("c", 10, 11, Read("canceled"))
    side_by_side = [created, cancel, complete, ends]
    assert check(side_by_side, model(FACTS)) is None
    one_by_one = [created, cancel._replace(returned=3), complete._replace(invoked=4), ends]
    assert check(one_by_one, model(FACTS)) is not None
