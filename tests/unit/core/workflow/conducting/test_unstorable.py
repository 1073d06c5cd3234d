"""Values that have no form in JSON: the task fails with an error that names them, and the workflow can handle it."""

from __future__ import annotations

import pytest
from tests.unit.core.workflow.conducting.staging import Stage

from squall.core.workflow.conducting.snapshots import snapshot

HANDLED = "next: [{when: <% succeeded() %>, do: ok}, {when: <% failed() %>, publish: [why: <% result() %>], do: clean}]"
AFTER = "  ok: {action: core.noop}\n  clean: {action: core.noop}\n"


def staged(task: str, more: str = "") -> Stage:
    return Stage(f"version: 1.0\n{more}tasks:\n  one: {task}\n{AFTER}")


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("action: core.noop, input: {what: '{{ dict }}'}", ('input "what"', "{{ dict }}")),
        ("action: core.noop, input: {what: {deep: ['{{ namespace() }}']}}", ('input "what"', "{{ namespace() }}")),
        ("action: core.noop, input: {what: .nan}", ('input "what"', "nan is not a number")),
        ("action: '{{ dict }}'", ("action", "{{ dict }}")),
        ("action: core.noop, delay: '{{ [nope] }}'", ("delay", "'nope' is undefined")),
        ("action: core.noop, with: '{{ [dict] }}'", ("with items", "{{ [dict] }}")),
        ("action: core.noop, retry: {count: '{{ dict }}'}", ("retry count", "{{ dict }}")),
    ],
)
def test_a_task_whose_values_cannot_be_stored_fails_and_can_be_handled(task: str, names: tuple[str, ...]) -> None:
    stage = staged(f"{{{task}, {HANDLED}}}")
    assert stage.names() == ["clean"]
    assert stage.state.status_of("one", 0) == "failed"
    [error] = stage.state.errors
    assert error["task_id"] == "one"
    assert all(name in error["message"] for name in names)
    stage.end("clean")
    assert stage.state.status == "succeeded"
    assert snapshot(stage.replayed()) == snapshot(stage.state)


def test_a_task_that_nothing_handles_fails_the_workflow_at_once() -> None:
    stage = staged(
        "{action: core.noop, input: {what: '{{ ctx }}'}, retry: {count: 5}, next: [{do: ok}]}".replace(
            "{do: ok}", "{when: <% succeeded() %>, do: ok}, {when: <% 1 = 2 %>, do: clean}"
        )
    )
    assert stage.state.status == "failed"
    assert stage.conductor.is_finished
    assert stage.state.sequence[0].tally == 0
    assert "ctx is a function" in stage.state.errors[0]["message"]


def test_one_item_fails_and_the_others_run() -> None:
    stage = staged(
        "{with: 'x in <% [a, b] %>', action: core.noop, input: {y: \"{{ dict if item('x') == 'b' else 1 }}\"}, "
        + HANDLED
        + "}"
    )
    assert [command.item for command in stage.open] == [0]
    assert stage.notes == ["workflow", "task_requested", "item_refused"]
    stage.end("one", item=0)
    assert stage.names() == ["clean"]
    assert stage.state.errors[0]["task_id"] == "one"


def test_all_items_of_many_fail_without_a_stop() -> None:
    stage = staged("{with: 'x in <% range(450) %>', action: core.noop, input: {y: '{{ dict }}'}, " + HANDLED + "}")
    assert stage.names() == ["clean"]
    assert len(stage.state.errors) == 1


def test_items_with_concurrency_stop_after_the_one_that_fails() -> None:
    stage = staged(
        "{with: {items: 'x in <% range(9) %>', concurrency: 1}, action: core.noop,"
        " input: {y: \"{{ dict if item('x') == 2 else 1 }}\"}, " + HANDLED + "}"
    )
    stage.end("one", item=0)
    stage.end("one", item=1)
    assert stage.names() == ["clean"]


@pytest.mark.parametrize("value", ["{{ {(1, 2): 3} }}", "{{ dict }}", "{{ '\\ud800' }}", "{{ 'nan' | float }}"])
def test_a_published_value_that_cannot_be_stored_makes_the_task_a_failed_one(value: str) -> None:
    stage = staged(
        '{action: core.noop, next: [{when: <% succeeded() %>, publish: [map: "'
        + value.replace("\\", "\\\\")
        + '"], do: ok}, {when: <% failed() %>, publish: [was: <% result() %>], do: clean}]}'
    )
    stage.end("one", result={"a": 1})
    assert stage.names() == ["clean"]
    [error] = stage.state.errors
    assert (error["task_id"], error["task_transition_id"]) == ("one", "ok__t0")
    assert 'variable "map"' in error["message"]
    assert value in error["message"]
    assert stage.state.contexts[-1].values == {"was": {"a": 1}}
    stage.end("clean")
    assert stage.state.status == "succeeded"
    assert snapshot(stage.replayed()) == snapshot(stage.state)


def test_an_unhandled_published_value_fails_the_workflow_with_one_error() -> None:
    stage = staged(
        "{action: core.noop, next: [{publish: [map: '{{ {(1, 2): 3} }}'], do: ok}, {when: <% 1 = 2 %>, do: clean}]}"
    )
    stage.end("one")
    assert (stage.state.status, stage.names()) == ("failed", [])
    assert [error["task_id"] for error in stage.state.errors] == ["one"]


@pytest.mark.parametrize("part", ["vars", "input"])
def test_a_variable_that_cannot_be_stored_fails_the_workflow_by_its_name(part: str) -> None:
    stage = staged("{action: core.noop, next: [{do: [ok, clean]}]}", f"{part}: [{{port: '{{{{ dict }}}}'}}]\n")
    assert stage.state.status == "failed"
    assert 'variable "port"' in stage.state.errors[0]["message"]


def test_an_output_that_cannot_be_stored_fails_the_workflow_by_its_name() -> None:
    stage = Stage("version: 1.0\ntasks:\n  a: {action: core.noop}\noutput: [{x: 1}, {y: '{{ dict }}'}]\n")
    stage.end("a")
    assert stage.conductor.result()["output"] == {"x": 1}
    assert 'variable "y"' in stage.conductor.result()["errors"][0]["message"]


def test_keys_that_are_no_text_become_text_everywhere() -> None:
    stage = Stage(
        "version: 1.0\nvars: [{ports: {80: web}}]\ntasks:\n"
        "  a: {action: core.noop, input: {what: {443: tls, null: x, true: y}},"
        " next: [{publish: [m: {1: a}, n: '{{ {2: 3} }}']}]}\n"
        "output: [{all: '<% [ctx().ports, ctx().m, ctx().n] %>'}, {k: {3: 4}}]\n"
    )
    assert stage.open[0].input == {"what": {"443": "tls", "null": "x", "true": "y"}}
    stage.end("a")
    assert stage.conductor.result() == {"output": {"all": [{"80": "web"}, {"1": "a"}, {"2": 3}], "k": {"3": 4}}}


@pytest.mark.parametrize("delay", ["delay: 99999999999999999999", "retry: {count: 1, delay: 99999999999999999999}"])
def test_a_delay_that_no_clock_can_tell_fails_the_workflow_with_the_longest_one(delay: str) -> None:
    stage = staged(f"{{action: core.noop, {delay}, next: [{{do: [ok, clean]}}]}}")
    assert stage.state.status == "failed"
    assert "it may be at most" in stage.state.errors[0]["message"]
