"""What a workflow's conductor is told of each row of the queue, and what comes of it."""

from __future__ import annotations

import msgspec
from tests.unit.core.workflow.conducting.staging import LANGUAGE, Stage

from squall.core.execution import execution as ex
from squall.core.workflow.conducting.conductor import Conductor
from squall.core.workflow.conducting.state import State
from squall.ports import Due
from squall.services.lanes import ADVANCE, Advance, ChildChanged, Start, StatusRequested
from squall.services.workflow.deciding import decide, failed
from squall.services.workflow.run import Run
from squall.testing.samples import NOON, sample_execution

LINE = """
version: 1.0
tasks:
  a: {action: core.noop, next: [{when: <% succeeded() %>, do: b}]}
  b: {action: core.noop}
"""


def _run(text: str = LINE) -> Run:
    stage = Stage(text)
    conductor = Conductor(State(stage.graph), LANGUAGE, stage, 100)
    return Run(sample_execution(1, runner="orquesta"), conductor=conductor, begins=True)


def _due(advance: Advance) -> Due:
    return Due(1, ADVANCE, "key", msgspec.to_builtins(advance), 1, 1)


def test_a_workflow_that_begins_asks_for_its_first_task_once() -> None:
    run = _run()
    steps, asked = decide(run, [_due(Start())], NOON)
    assert [command.task for step in steps for command in step.commands] == ["a"]
    assert (asked, run.begins) == ([], False)
    assert decide(run, [_due(Start())], NOON) == ([], [])


def test_a_child_that_is_no_longer_there_changes_nothing() -> None:
    run = _run()
    decide(run, [_due(Start())], NOON)
    assert decide(run, [_due(ChildChanged("gone", ex.SUCCEEDED))], NOON) == ([], [])


def test_what_was_asked_of_a_workflow_is_given_back_in_its_order() -> None:
    run = _run()
    decide(run, [_due(Start())], NOON)
    _, asked = decide(run, [_due(StatusRequested(ex.PAUSING)), _due(StatusRequested(ex.RESUMING))], NOON)
    assert asked == [ex.PAUSING, ex.RESUMING]


def test_a_task_that_could_not_be_requested_has_failed() -> None:
    run = _run()
    steps, _ = decide(run, [_due(Start())], NOON)
    (command,) = steps[0].commands
    failed(run, command, {"error": "there is no such action"}, NOON)
    assert run.conductor is not None
    assert run.conductor.state.status == ex.FAILED


def test_an_item_that_could_not_be_requested_is_reported_before_the_end_of_its_task() -> None:
    run = _run("version: 1.0\ntasks:\n  t: {with: 'x in <% list(1) %>', action: core.noop}\n")
    steps, _ = decide(run, [_due(Start())], NOON)
    (command,) = steps[0].commands
    step = failed(run, command, {"error": "there is no such action"}, NOON)
    assert [(note.event, note.task, note.details.get("item")) for note in step.notes[:2]] == [
        ("item_refused", "t", 0), ("task_ended", "t", None),
    ]  # fmt: skip
