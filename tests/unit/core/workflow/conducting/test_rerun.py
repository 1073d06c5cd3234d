"""Running tasks again."""

from __future__ import annotations

import pytest
from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.rerun import RerunError, TaskRerun, check_rerun
from squall.core.workflow.conducting.snapshots import snapshot

LINE = """
version: 1.0
tasks:
  a: {action: core.noop, next: [{when: <% succeeded() %>, do: b}]}
  b: {action: core.noop, next: [{when: <% succeeded() %>, do: c}]}
  c: {action: core.noop}
output: [{ok: <% task_status(c) %>}]
"""
ITEMS = "version: 1.0\ntasks:\n  t: {with: 'x in <% list(1, 2, 3) %>', action: core.echo message=<% item(x) %>}\n"


def failed_line() -> Stage:
    stage = Stage(LINE)
    stage.end("a")
    stage.end("b", "failed")
    assert stage.conductor.result()["errors"] != []
    return stage


@pytest.mark.parametrize("tasks", [[TaskRerun("b")], []])
def test_a_failed_task_goes_on_from_where_it_was(tasks: list[TaskRerun]) -> None:
    stage = failed_line()
    stage.take(stage.conductor.rerun(tasks, 9))
    assert stage.names() == ["b"]
    stage.end("b")
    stage.end("c")
    assert stage.conductor.result() == {"output": {"ok": "succeeded"}}
    assert snapshot(stage.replayed()) == snapshot(stage.state)


def test_a_task_behind_another_one_is_part_of_it() -> None:
    stage = failed_line()
    stage.take(stage.conductor.rerun([TaskRerun("a"), TaskRerun("b")], 9))
    assert stage.names() == ["a"]


def test_a_workflow_that_succeeded_can_be_run_again() -> None:
    stage = Stage(LINE)
    for task in "abc":
        stage.end(task)
    stage.take(stage.conductor.rerun([TaskRerun("b")], 9))
    stage.end("b")
    stage.end("c")
    assert stage.state.status == "succeeded"


def test_only_failed_items_run_again_unless_all_are_asked_for() -> None:
    for reset, again in ((False, [1]), (True, [0, 1, 2])):
        stage = Stage(ITEMS)
        for item, status in enumerate(("succeeded", "failed", "succeeded")):
            stage.end("t", status, item=item)
        stage.take(stage.conductor.rerun([TaskRerun("t", reset=reset)], 9))
        assert [command.item for command in stage.open] == again
        assert stage.notes.count("task_requested") == 2
        for item in again:
            stage.end("t", item=item)
        assert stage.state.status == "succeeded"


def test_what_cannot_be_run_again_is_told() -> None:
    stage = Stage(LINE)
    with pytest.raises(RerunError, match="not in a completed state"):
        stage.conductor.rerun([], 9)
    stage = failed_line()
    with pytest.raises(RerunError, match=r"isn't rerunnable: nosuch\|0"):
        stage.conductor.rerun([TaskRerun("nosuch")], 9)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["fail"],
            '"fail" is a command of the workflow engine, which runs nothing. Tasks that can be run again: a, b.',
        ),
        (
            ["a", "c"],
            'Task "c" has not run in this execution, so it cannot be run again. Tasks that can be run again: a, ',
        ),
    ],
)
def test_named_tasks_that_would_run_nothing_are_refused(names: list[str], message: str) -> None:
    stage = failed_line()
    with pytest.raises(RerunError) as refused:
        check_rerun(stage.state, names, "failed", None)
    assert message in str(refused.value)
    check_rerun(stage.state, ["a", "b"], "failed", None)


def test_the_command_fail_is_never_run_again_as_a_task() -> None:
    stage = Stage("{version: 1.0, tasks: {a: {action: core.noop, next: [{do: fail}]}}}")
    stage.end("a")
    with pytest.raises(RerunError, match="runs nothing"):
        stage.conductor.rerun([TaskRerun("fail")], 9)
