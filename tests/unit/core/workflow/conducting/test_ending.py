"""What follows the end of a task."""

from __future__ import annotations

from tests.unit.core.workflow.conducting.staging import Stage


def test_publishing_sees_what_was_published_before_it_in_the_same_transition() -> None:
    stage = Stage(
        "version: 1.0\ntasks:\n  a: {action: core.noop, next: [{publish: 'x=1 y=<% ctx().x + 1 %>'}]}\n"
        "output: [{y: <% ctx().y %>}]\n"
    )
    stage.end("a")
    assert stage.conductor.result() == {"output": {"y": 2}}


def test_the_branch_that_comes_last_to_a_join_wins() -> None:
    text = """
version: 1.0
tasks:
  a: {action: core.noop, next: [{publish: 'x="a"', do: j}]}
  b: {action: core.noop, next: [{publish: 'x="b"', do: j}]}
  j: {join: all, action: core.noop}
output: [{x: <% ctx().x %>}]
"""
    for order in ("ab", "ba"):
        stage = Stage(text)
        for task in [*order, "j"]:
            stage.end(task)
        assert stage.conductor.result() == {"output": {"x": order[-1]}}


def test_each_way_into_a_split_is_a_route_of_its_own() -> None:
    text = """
version: 1.0
tasks:
  a: {action: core.noop, next: [{do: s}]}
  b: {action: core.noop, next: [{do: s}]}
  s: {action: core.noop}
"""
    stage = Stage(text)
    stage.end("a")
    stage.end("b")
    assert [list(route) for route in stage.state.routes] == [[], ["a__t0"], ["b__t0"]]
    assert stage.names() == ["s", "s"]


def test_a_retry_waits_as_long_as_it_says() -> None:
    stage = Stage("version: 1.0\ntasks:\n  a: {action: core.noop, retry: {count: 1, delay: 3}}\n")
    stage.end("a", "timeout")
    assert stage.open[0].delay == 3000
    assert stage.state.sequence[0].tally == 1
    stage.end("a")
    assert stage.state.status == "succeeded"


def test_an_error_in_a_retrys_condition_fails_the_workflow() -> None:
    stage = Stage("version: 1.0\ntasks:\n  a: {action: core.noop, retry: {count: 1, when: '<% 1/0 %>'}}\n")
    stage.end("a")
    assert stage.state.status == "failed"
    assert "ZeroDivisionError" in stage.state.errors[0]["message"]
