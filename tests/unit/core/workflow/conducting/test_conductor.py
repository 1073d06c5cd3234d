"""The conductor, told what happens."""

from __future__ import annotations

import pytest
from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.snapshots import snapshot

LINE = "version: 1.0\ntasks:\n  a: {action: core.noop, next: [{do: b}]}\n  b: {action: core.noop}\n"
TWO = """
version: 1.0
tasks:
  a: {action: core.noop, next: [{do: j}]}
  b: {action: core.noop, next: [{do: j}]}
  j: {join: all, action: core.noop}
"""


def test_a_task_that_ends_starts_the_next() -> None:
    stage = Stage(LINE)
    assert stage.names() == ["a"]
    stage.end("a")
    assert stage.names() == ["b"]
    stage.end("b")
    assert stage.conductor.is_finished
    assert stage.conductor.result() == {"output": None}


def test_the_end_of_a_task_counts_once() -> None:
    stage = Stage(LINE)
    command = stage.open[0]
    stage.end("a")
    stage.take(stage.conductor.action(command.task_execution, None, "failed", None, 5))
    assert stage.state.status == "running"
    assert stage.names() == ["b"]


def test_an_unknown_execution_changes_nothing() -> None:
    stage = Stage(LINE)
    stage.take(stage.conductor.action("nosuch", None, "failed", None, 5))
    assert stage.state.status == "running"


def test_a_workflow_that_failed_waits_for_what_still_runs() -> None:
    stage = Stage(
        "version: 1.0\ntasks:\n  a: {action: core.noop}\n  b: {action: core.noop, next: [{do: c}]}\n  c: {}\n"
    )
    stage.end("a", "failed")
    seen = [(stage.state.status, stage.conductor.is_finished)]
    stage.end("b")
    seen.append((stage.state.status, stage.conductor.is_finished))
    assert seen == [("failed", False), ("failed", True)]
    assert stage.names() == []


def test_a_paused_workflow_starts_nothing_until_it_is_resumed() -> None:
    stage = Stage(LINE)
    stage.ask("pausing")
    assert stage.state.status == "pausing"
    stage.end("a")
    assert (stage.state.status, stage.names()) == ("paused", [])
    stage.ask("resuming")
    stage.ask("running")
    assert (stage.state.status, stage.names()) == ("running", ["b"])


def test_a_pending_task_pauses_the_workflow() -> None:
    stage = Stage(TWO)
    stage.end("a", "pending")
    assert stage.state.status == "pausing"
    stage.end("b")
    assert stage.state.status == "paused"
    stage.end("a", "succeeded")
    stage.ask("running")
    assert stage.names() == ["j"]


def test_a_canceled_workflow_waits_for_its_tasks() -> None:
    stage = Stage(TWO)
    stage.ask("canceling")
    assert stage.state.status == "canceling"
    stage.end("a", "canceled")
    stage.end("b", "canceled")
    assert stage.state.status == "canceled"
    assert stage.conductor.is_finished


def test_a_circle_without_end_is_ended() -> None:
    text = "version: 1.0\ntasks:\n  a: {next: [{do: b}]}\n  b: {next: [{do: b}]}\n"
    stage = Stage(text, most=300)
    assert stage.state.status == "failed"
    assert stage.state.errors[0]["message"] == "LimitError: The workflow has run 300 tasks, which is the most it may."


def test_an_action_that_cannot_be_is_the_workflows_error() -> None:
    stage = Stage(LINE)
    stage.take(stage.conductor.refuse("no such action", 5, task_id="a"))
    assert stage.state.errors == [{"type": "error", "message": "no such action", "task_id": "a"}]
    assert stage.state.status == "failed"


def test_a_thousand_tasks_replay_to_the_same_state() -> None:
    tasks = "".join(f"  t{i}: {{action: core.noop, next: [{{publish: 'x={i}', do: t{i + 1}}}]}}\n" for i in range(300))
    stage = Stage(f"version: 1.0\ntasks:\n{tasks}  t300: {{action: core.noop}}\noutput: [{{x: <% ctx().x %>}}]\n")
    while stage.open:
        stage.end(stage.open[0].task)
    assert stage.conductor.result() == {"output": {"x": 299}}
    assert snapshot(stage.replayed()) == snapshot(stage.state)


def test_what_happens_is_told_to_who_watches() -> None:
    stage = Stage(TWO)
    stage.end("a")
    stage.end("b")
    stage.end("j")
    assert stage.notes == [
        "workflow", "task_requested", "task_requested", "task_ended", "transition", "task_waiting", "task_ended",
        "transition", "task_requested", "task_ended", "workflow",
    ]  # fmt: skip


LEFT = """
version: 1.0
tasks:
  a: {action: core.noop}
  b: {action: core.noop, with: {items: 'x in <% range(5) %>', concurrency: 2}}
"""


def test_a_workflow_that_a_task_cancels_waits_for_no_item_that_was_never_started() -> None:
    stage = Stage(LEFT)
    stage.end("a", "canceled")
    stage.end("b", item=0)
    assert stage.state.status == "canceling"
    stage.end("b", item=1)
    assert stage.state.status == "canceled"
    assert stage.conductor.is_finished


def test_a_workflow_that_a_task_pauses_waits_for_no_item_that_was_never_started() -> None:
    stage = Stage(LEFT)
    stage.end("a", "pending")
    stage.end("b", item=0)
    stage.end("b", item=1)
    assert stage.state.status == "paused"
    stage.end("a")
    stage.ask("running")
    for item in (2, 3, 4):
        stage.end("b", item=item)
    assert stage.state.status == "succeeded"


@pytest.mark.parametrize("end", ["succeeded", "failed", "canceled", "timeout", "abandoned", "paused", "pending"])
@pytest.mark.parametrize("first", ["canceled", "failed", "succeeded"])
@pytest.mark.parametrize("asked", [None, "canceling"])
def test_a_canceled_workflow_with_items_left_ends_however_its_items_end(
    asked: str | None, first: str, end: str
) -> None:
    stage = Stage(LEFT)
    if asked is not None:
        stage.ask(asked)
    stage.end("a", first)
    if first == "succeeded" and asked is None:
        stage.ask("canceling")
    stage.end("b", end, item=0)
    stage.end("b", end, item=1)
    assert stage.state.status == ("failed" if first == "failed" and asked is None else "canceled")
    assert end in ("paused", "pending") or stage.conductor.is_finished
