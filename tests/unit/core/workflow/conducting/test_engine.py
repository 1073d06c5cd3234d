"""The engine's errors and scopes."""

from __future__ import annotations

from tests.unit.core.workflow.conducting.staging import LANGUAGE, Stage

from squall.core.expr.scope import CurrentTask
from squall.core.workflow.conducting.engine import Engine

ONE = "version: 1.0\nvars: [{x: 1}]\ntasks:\n  a: {action: core.noop}\n"


def engine() -> Engine:
    stage = Stage(ONE)
    return Engine(stage.state, LANGUAGE, stage)


def test_an_error_is_logged_once() -> None:
    made = engine()
    made.log("m", task_id="a", result=None)
    made.log("m", task_id="a")
    assert made.state.errors == [{"type": "error", "message": "m", "task_id": "a"}]


def test_an_exception_is_told_by_its_class() -> None:
    made = engine()
    made.log_exception(TypeError("no"), task_id="a", route=0)
    assert made.state.errors == [{"type": "error", "message": "TypeError: no", "task_id": "a", "route": 0}]


def test_a_scope_sees_variables_and_tasks() -> None:
    scope = engine().scope(0, CurrentTask("a", 0, "running", 5))
    assert LANGUAGE.evaluate("<% ctx().x + result() %> <% task_status(a) %>", scope) == "6 running"
