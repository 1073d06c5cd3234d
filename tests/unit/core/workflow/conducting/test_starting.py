"""Starting tasks and items."""

from __future__ import annotations

from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.starting import BATCH

ITEMS = """
version: 1.0
input: [n, {c: null}]
tasks:
  t:
    with: {items: "x in <% range(ctx().n) %>", concurrency: <% ctx().c %>}
    action: core.echo message=<% item(x) %>
    delay: 2
"""
FREE = ITEMS.replace(", concurrency: <% ctx().c %>", "")


def test_many_items_are_started_in_steps() -> None:
    stage = Stage(FREE, {"n": 3 * BATCH})
    assert len(stage.open) == 3 * BATCH
    assert [command.input["message"] for command in stage.open[:3]] == [0, 1, 2]


def test_no_more_items_than_the_concurrency_run_at_once() -> None:
    stage = Stage(ITEMS, {"n": 5, "c": 2})
    assert [command.item for command in stage.open] == [0, 1]
    assert [command.delay for command in stage.open] == [2000, 2000]
    stage.end("t", item=1)
    assert [command.item for command in stage.open] == [0, 2]
    assert stage.open[-1].delay == 0


def test_a_concurrency_below_one_is_one() -> None:
    assert len(Stage(ITEMS, {"n": 5, "c": -3}).open) == 1


def test_after_a_failure_no_further_item_is_started() -> None:
    stage = Stage(ITEMS, {"n": 5, "c": 2})
    stage.end("t", "failed", item=0)
    assert [command.item for command in stage.open] == [1]
    stage.end("t", item=1)
    assert stage.state.status == "failed"


def test_items_left_when_paused_start_when_resumed() -> None:
    stage = Stage(ITEMS, {"n": 3, "c": 1})
    stage.ask("pausing")
    stage.end("t", item=0)
    assert (stage.state.status, stage.open) == ("paused", [])
    stage.ask("resuming")
    stage.ask("running")
    assert [command.item for command in stage.open] == [1]
    stage.end("t", item=1)
    stage.end("t", item=2)
    assert stage.state.status == "succeeded"


def test_an_input_may_be_one_expression() -> None:
    stage = Stage("version: 1.0\ntasks:\n  t: {action: core.echo, input: '<% dict(message => 5) %>'}\n")
    assert stage.open[0].input == {"message": 5}


def test_when_one_of_two_cannot_be_rendered_neither_starts() -> None:
    stage = Stage("version: 1.0\ntasks:\n  a: {action: core.noop}\n  b: {action: core.noop, delay: '<% 1/0 %>'}\n")
    assert (stage.state.status, stage.open) == ("failed", [])
