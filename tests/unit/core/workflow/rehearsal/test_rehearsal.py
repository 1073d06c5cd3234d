"""Rehearsals, and the conformance suite rehearsed: results are worked out from the commands the tasks would run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from squall.core.errors import InvalidError
from squall.core.expr.language import Language
from squall.core.workflow.conducting.engine import RunAction
from squall.core.workflow.rehearsal.rehearsal import Rehearsal, conduct, read_rehearsal, rehearse

CASES = yaml.safe_load((Path(__file__).parents[4] / "conformance" / "workflows.yaml").read_text())
LANGUAGE = Language()


def act(command: RunAction) -> tuple[str, Any]:
    """What the bundled actions give for the few commands that the suite uses."""
    if command.action in ("core.noop", ""):
        return "succeeded", {"failed": False, "succeeded": True, "return_code": 0} if command.action else None
    words = command.input["cmd"].split(maxsplit=1)
    code = int(words[1]) if words[0] == "exit" else 0
    text: Any = words[1] if words[0] == "echo" else ""
    if re.fullmatch(r"-?\d+", text):
        text = json.loads(text)
    result = {"failed": code != 0, "succeeded": code == 0, "return_code": code, "stdout": text, "stderr": ""}
    return ("failed" if code else "succeeded"), result


def without_results(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in error.items() if key != "result"} for error in errors]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_conformance(case: dict[str, Any]) -> None:
    asked: list[str] = []

    def result_of(command: RunAction) -> tuple[str, Any]:
        if command.action:
            asked.append(command.task + ("*" if command.item is not None else ""))
        return act(command)

    text = json.dumps(case["definition"])
    rehearsed = conduct(Rehearsal(inputs=case.get("inputs", {})), text, LANGUAGE, result_of)
    if case.get("inspection"):
        assert rehearsed.complaints == case["pure_errors"]
        return
    assert rehearsed.complaints == []
    assert rehearsed.conductor is not None
    assert rehearsed.conductor.is_finished
    state = rehearsed.conductor.state
    assert state.status == case.get("status", "succeeded"), state.errors
    assert state.output == case.get("output")
    if "errors" in case:
        assert state.errors == case["errors"]
    elif "errors_without_result" in case:
        assert without_results(state.errors) == case["errors_without_result"]
    else:
        assert state.errors == [] or state.status == "succeeded"
    if "children" in case:
        assert sorted(asked) == case["children"]


LINE = """
version: 1.0
input: [name]
tasks:
  task1:
    action: core.echo message=<% ctx().name %>
    next: [{when: <% succeeded() %>, publish: greeting=<% result() %>, do: task2}]
  task2:
    action: core.noop
    next: [{publish: greeting=<% ctx().greeting + '!' %>}]
output: [{greeting: <% ctx().greeting %>}]
"""


def test_a_rehearsal_that_goes_as_expected_says_nothing() -> None:
    rehearsal = read_rehearsal(
        {
            "workflow": "line.yaml",
            "inputs": {"name": "Ada"},
            "expected_task_sequence": ["task1", "task2__r0", "continue"],
            "mock_action_executions": [{"task_id": "task1", "result": "Ada"}],
            "expected_output": {"greeting": "Ada!"},
            "expected_term_tasks": ["continue", "task2"],
            "expected_task_statuses": {"task2": "succeeded"},
        }
    )
    assert rehearse(rehearsal, LINE, LANGUAGE) == []


def test_each_difference_is_told() -> None:
    rehearsal = read_rehearsal(
        {
            "workflow": "line.yaml",
            "expected_task_sequence": ["task1"],
            "expected_workflow_status": "succeeded",
            "mock_action_executions": [{"task_id": "task1", "status": "failed", "result": 5}],
            "expected_errors": [],
        }
    )
    told = rehearse(rehearsal, LINE, LANGUAGE)
    assert told[0] == "The actual workflow status 'failed' does not match expected 'succeeded'."
    assert told[1].startswith("The actual workflow errors [{'type': 'error'")


def test_inspection_errors_may_be_expected_in_orquestas_groups() -> None:
    text = "version: 1.0\ntasks:\n  a:\n    action: core.noop\n    next: [{do: b}]\n"
    expected = {
        "semantics": [
            {
                "message": 'The task "b" is not defined.',
                "spec_path": "tasks.a.next[0].do",
                "schema_path": "properties.tasks.patternProperties.^\\w+$.properties.next.items.properties.do",
            }
        ]
    }
    rehearsal = read_rehearsal({"expected_task_sequence": [], "expected_inspection_errors": expected})
    assert rehearse(rehearsal, text, LANGUAGE) == []
    rehearsal = read_rehearsal({"expected_task_sequence": []})
    assert rehearse(rehearsal, text, LANGUAGE)[0].startswith("The actual inspection errors")


def test_a_mock_is_used_as_often_as_it_says() -> None:
    text = "version: 1.0\ntasks:\n  a:\n    action: core.noop\n    retry: {count: 5}\n"
    rehearsal = read_rehearsal(
        {
            "definition": text,
            "expected_task_sequence": ["a"],
            "mock_action_executions": [{"task_id": "a", "status": "failed", "num_iter": 2}, {"task_id": "a"}],
        }
    )
    assert rehearse(rehearsal, text, LANGUAGE) == []


def test_tasks_can_be_run_again() -> None:
    text = "version: 1.0\ntasks:\n  a: {action: core.noop, next: [{when: <% succeeded() %>, do: b}]}\n  b: {}\n"
    rehearsal = read_rehearsal(
        {
            "definition": text,
            "expected_task_sequence": ["a", "a", "b"],
            "mock_action_executions": [{"task_id": "a", "status": "failed"}],
            "rerun_tasks": [{"task_id": "a"}],
            "expected_errors": [],
        }
    )
    assert rehearse(rehearsal, text, LANGUAGE) == []


@pytest.mark.parametrize("document", [[], {"nosuch": 1}, {"inputs": 5}, {"workflow_state": {}}])
def test_what_is_no_rehearsal_is_an_error(document: Any) -> None:
    with pytest.raises(InvalidError):
        read_rehearsal(document)
