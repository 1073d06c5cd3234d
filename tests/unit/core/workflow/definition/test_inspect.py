"""Inspection, against what StackStorm answered."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.expr.language import Language
from squall.core.workflow.definition.inspect import inspect_workflow
from squall.core.workflow.definition.spec import load_document

LANGUAGE = Language()
ACTIONS: dict[str, Any] = {"core.noop": {}, "core.local": {"cmd": {"required": True}, "timeout": {}}}
TASK = "properties.tasks.patternProperties.^\\w+$"


def inspected(text: str) -> list[dict[str, Any]]:
    return inspect_workflow(load_document(text), LANGUAGE, ACTIONS.get)


def test_nothing_is_wrong_with_a_sound_workflow() -> None:
    assert inspected("version: 1.0\ntasks:\n  t1:\n    action: core.noop\n") == []


def test_contents_are_looked_at() -> None:
    found = inspected(
        "version: 1.0\ntasks:\n  a: {action: echo}\n  b: {action: core.nosuch}\n"
        "  c: {action: core.local cmd=date bogus=1}\n"
        "  d: {action: <% ctx().st2.action %>}\n"
    )
    assert [each["message"] for each in found] == [
        'The action reference "echo" is not formatted correctly.',
        'The action "core.nosuch" is not registered in the database.',
        'Action "core.local" is missing required input "cmd".',
        'Action "core.local" has unexpected input "bogus".',
    ]
    assert found[3]["spec_path"] == "tasks.c.input.bogus"
    assert found[3]["schema_path"] == f"{TASK}.properties.input.patternProperties.^\\w+$"


def test_syntax_is_told_with_both_paths() -> None:
    [found] = inspected("version: 1.0\ntasks:\n  t: {action: core.noop, nosuch: 1}\n")
    assert found == {
        "type": "syntax",
        "message": "Additional properties are not allowed ('nosuch' was unexpected)",
        "spec_path": "tasks.t",
        "schema_path": f"{TASK}.additionalProperties",
    }


@pytest.mark.parametrize(
    "text", ["tasks: {}", "tasks: {a: 5}", "tasks: {a: {next: 5}}", "tasks: {a: {with: [1]}}", "x: 1"]
)
def test_nonsense_is_a_complaint_and_no_crash(text: str) -> None:
    assert {each["type"] for each in inspected(f"version: 1.0\n{text}\n")} >= {"syntax"}


@pytest.mark.parametrize("items", [" " * 5000 + "!", "a " * 5000 + "!", "x, " * 5000 + "in", "x" * 5000 + " in <% 1"])
def test_a_wrong_list_of_items_is_told_however_long_it_is(items: str) -> None:
    """Python's own engine would take hours for some of these, and hold up everything else."""
    document = {"version": 1.0, "tasks": {"t": {"action": "core.noop", "with": items}}}
    complaints = [each for each in inspect_workflow(document, LANGUAGE, ACTIONS.get) if each["type"] == "syntax"]
    assert complaints[0]["spec_path"] == "tasks.t.with.items"
    assert "does not match '^(\\s+)?(<%.*?%>|{{.*?}})" in complaints[0]["message"]


@pytest.mark.parametrize("items", ["<% ctx(x) %>", " {{ x }} ", "x in <% list(1) %>", "a, b in {{ zip }}"])
def test_lists_of_items_of_all_forms_are_right(items: str) -> None:
    document = {"version": 1.0, "tasks": {"t": {"action": "core.noop", "with": items}}}
    assert [each for each in inspect_workflow(document, LANGUAGE, ACTIONS.get) if each["type"] == "syntax"] == []


@pytest.mark.parametrize("name", ["a²", "ä", "名", "t\n"])
def test_tasks_with_names_of_other_scripts_are_looked_at(name: str) -> None:
    document = {"version": 1.0, "tasks": {name: {"action": "core.noop", "nosuch": 1}}}
    messages = [each["message"] for each in inspect_workflow(document, LANGUAGE, ACTIONS.get)]
    assert "Additional properties are not allowed ('nosuch' was unexpected)" in messages


def test_a_name_that_yaml_reads_as_a_number_must_be_quoted() -> None:
    found = inspected("version: 1.0\ntasks:\n  42: {action: core.noop}\n  t: {action: core.noop, input: {7: a}}\n")
    messages = [each["message"] for each in found]
    assert "42 is a name and must be a text: write it in quotes" in messages
    assert "{7: 'a'} is not valid under any of the given schemas" in messages
