"""States as the Orquesta library writes them: gone on with by rehearsals of re-runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.expr.language import Language
from squall.core.workflow.rehearsal.rehearsal import read_rehearsal, rehearse

WORKFLOW: dict[str, Any] = {
    "version": 1.0,
    "vars": [{"n": 0}],
    "tasks": {
        "a": {"action": "core.noop", "next": [{"when": "<% succeeded() %>", "publish": [{"n": 1}], "do": "b,c"}]},
        "b": {"action": "core.noop", "next": [{"when": "<% succeeded() %>", "publish": "m=<% ctx(n) %>", "do": "d"}]},
        "c": {"action": "core.noop", "next": [{"when": "<% succeeded() %>", "publish": "k=2", "do": "d"}]},
        "d": {"join": "all", "action": "core.noop"},
    },
    "output": [{"m": "<% ctx(m) %>"}, {"k": "<% ctx(k) %>"}],
}


def failed(**changes: Any) -> dict[str, Any]:
    """What version 1.2.0 of the library serialised when task b had failed and c had not."""
    return {
        "spec": {"catalog": "native", "version": "1.0", "spec": WORKFLOW},
        "input": {},
        "context": {},
        "log": [],
        "errors": [{"type": "error", "message": "Execution failed. See result for details.", "task_id": "b"}],
        "output": None,
        "state": {
            "contexts": [{"n": 0}, {"n": 1}, {"n": 1}, {"k": 2}],
            "routes": [[]],
            "sequence": [
                {
                    "id": "a", "route": 0, "ctxs": {"in": [0], "out": {"c__t0": 2}}, "prev": {},
                    "next": {"b__t0": True, "c__t0": True}, "status": "succeeded",
                },
                {
                    "id": "b", "route": 0, "ctxs": {"in": [0, 1]}, "prev": {"a__t0": 0}, "next": {"d__t0": False},
                    "status": "failed", "term": True,
                },
                {
                    "id": "c", "route": 0, "ctxs": {"in": [0, 2], "out": {"d__t0": 3}}, "prev": {"a__t0": 0},
                    "next": {"d__t0": True}, "status": "succeeded", "term": True,
                },
            ],
            "staged": [{"id": "d", "ctxs": {"in": [0, 2, 3]}, "route": 0, "prev": {"c__t0": 2}, "ready": False}],
            "status": "failed",
            "tasks": {"a__r0": 0, "b__r0": 1, "c__r0": 2},
            **changes,
        },
    }  # fmt: skip


def complaints(**more: Any) -> list[str]:
    rehearsal = read_rehearsal({"workflow_state": failed(), "rerun_tasks": [{"task_id": "b"}], **more})
    return rehearse(rehearsal, json.dumps(rehearsal.definition), Language())


def test_the_failed_task_runs_again_and_what_follows_goes_on() -> None:
    assert complaints(
        expected_task_sequence=["a", "b", "c", "b", "d"], expected_output={"m": 1, "k": 2}, expected_errors=[],
        expected_routes=[[]], expected_term_tasks=["d"],
    ) == []  # fmt: skip


def test_a_second_failure_is_a_failure_again() -> None:
    assert complaints(
        mock_action_executions=[{"task_id": "b", "status": "failed"}],
        expected_task_sequence=["a", "b", "c", "b"],
        expected_workflow_status="failed",
    ) == []  # fmt: skip


def test_nothing_that_was_expected_wrongly_passes() -> None:
    assert complaints(expected_task_sequence=["a", "b", "c", "d"]) != []


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({}, "workflow_state: Object missing required field `state`"),
        (failed(status=5), "workflow_state: Expected `str`, got `int` - at `$.state.status`"),
    ],
)
def test_what_is_no_state_is_told_of(state: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read_rehearsal({"workflow_state": state})
    assert str(caught.value) == told


def test_a_context_that_is_not_there_is_told_of() -> None:
    rehearsal = read_rehearsal({"workflow_state": failed(contexts=[{}])})
    with pytest.raises(InvalidError, match='task "b" has context 1, which is not in contexts'):
        rehearse(rehearsal, json.dumps(rehearsal.definition), Language())


def test_tasks_with_items_run_again_whole_only() -> None:
    sequence = [{"id": "b", "status": "failed", "items": [{"status": "failed"}], "ctxs": {"in": [0]}}]
    asked = {"workflow_state": failed(sequence=sequence), "rerun_tasks": [{"task_id": "b"}]}
    with pytest.raises(InvalidError, match="reset_items: true"):
        read_rehearsal(asked)
    assert read_rehearsal({**asked, "rerun_tasks": [{"task_id": "b", "reset_items": True}]}).rerun_tasks
