"""What is probably wrong with a workflow that can run."""

from __future__ import annotations

import pytest

from squall.core.expr.language import Language
from squall.core.workflow.definition.lint import all_faults, lint_workflow
from squall.core.workflow.definition.spec import load_document

LANGUAGE = Language()
HEAD = "version: 1.0\ntasks:\n"


def found(text: str) -> list[dict[str, object]]:
    return lint_workflow(text, load_document(text), LANGUAGE)


def test_an_unknown_function_is_named_with_its_place() -> None:
    [each] = found(f"{HEAD}  a:\n    action: core.noop\n    next:\n      - when: <% suceeded() %>\n        do: noop\n")
    assert each["spec_path"] == "tasks.a.next[0].when"
    assert "Did you mean succeeded?" in str(each["message"])


def test_tasks_that_only_lead_to_each_other_never_run() -> None:
    text = f"{HEAD}  a: {{action: core.noop}}\n  b: {{next: [{{do: c}}]}}\n  c: {{next: [{{do: b}}]}}\n"
    assert [each["spec_path"] for each in found(text)] == ["tasks.b", "tasks.c"]


@pytest.mark.parametrize("value", ["<% result() #1 %>", "send #ops", '"a" is "b #1"', "{{ 'a #b' }}", "#ops"])
def test_a_value_that_yaml_cuts_is_named_with_its_line(value: str) -> None:
    text = f"{HEAD}  a:\n    action: core.noop\n    input:\n      x: {value}\n"
    if value.startswith(('"', "{{")):
        text = text.replace(value, f"text {value}")
    [each] = found(text)
    assert (each["line"], "as a comment" in str(each["message"])) == (6, True)


def test_comments_and_quoted_values_are_passed_over() -> None:
    assert found(f"{HEAD}  a:  # first\n    action: core.noop  # why\n    input: {{x: 'a #b'}}\n    # end\n") == []


def test_a_key_that_stands_twice_is_named_with_both_lines() -> None:
    [each] = found(f"{HEAD}  a: {{action: core.noop}}\n  a: {{action: core.local}}\n")
    assert (each["line"], "first in line 3" in str(each["message"])) == (4, True)


def with_input(value: str) -> str:
    return f"{HEAD}  a:\n    action: core.noop\n    input:\n      x: {value}\n"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("""'{"k": 1, "k": 2}'""", 6),
        ('''"[{'k': 1, 'k': 2}]"''', 6),
        ("""'{"a": {"k": 1, "k": 2}}'""", 6),
        ("""'{"k": <% ctx(y) %>, "k": 2}'""", 6),
        ('|\n        {"a": 1,\n         "b": {"k": 2,\n               "k": 3}}', 9),
        ("{k: 1, k: 2}", 6),
        ("[{k: 1, k: 2}]", 6),
    ],
)
def test_a_key_that_occurs_twice_in_an_object_is_named_with_its_line(value: str, line: int) -> None:
    [each] = found(with_input(value))
    assert (each["line"], str(each["message"])[:25]) == (line, 'The key "k" occurs twice,')


@pytest.mark.parametrize(
    "action", ['core.http body=\'{"k": 1, "k": 2}\'', 'core.http url="x" body={{ctx().a}} a=[{"k": 1, "k": 2}]']
)
def test_a_key_that_occurs_twice_in_a_parameter_of_an_actions_line_is_named(action: str) -> None:
    text = f"{HEAD}  a:\n    action: >-\n      {action}\n"
    [each] = found(text)
    assert (each["line"], str(each["message"])[:25]) == (5, 'The key "k" occurs twice,')


@pytest.mark.parametrize(
    "value",
    ["""'{"a": {"k": 1}, "b": {"k": 2}}'""", "'{not json: at all'", "'{{ ctx(y) }}'", "'[' ", "'k: 1, k: 2'"],
)
def test_texts_without_repeated_keys_are_passed_over(value: str) -> None:
    assert found(with_input(value)) == []


def test_a_text_of_many_brackets_is_passed_over() -> None:
    assert found(with_input(f"'{'[' * 50_000}'")) == []


def test_each_unknown_word_is_a_syntax_fault_of_its_own_in_place_of_the_inspections() -> None:
    text = f"{HEAD}  a:\n    acton: core.noop\n    next:\n      - {{wen: 1, do: a}}\n    joni: all\n"
    faults = [each for each in all_faults(text, load_document(text), LANGUAGE) if each["type"] == "syntax"]
    assert [each["spec_path"] for each in faults] == ["tasks.a.acton", "tasks.a.next[0].wen", "tasks.a.joni"]
    assert 'did you mean "action"?' in faults[0]["message"]


def test_a_text_that_only_one_loader_of_yaml_reads_is_linted() -> None:
    text = "tasks:\n  a:\n    action: core.echo message=x\t\n    input: {x: <% suceeded() %>}\n"
    [finding] = lint_workflow(text, load_document(text), LANGUAGE)
    assert "succeeded" in finding["message"]
