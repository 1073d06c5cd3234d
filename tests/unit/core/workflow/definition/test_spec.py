"""Reading workflows."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.workflow.definition.inline import inline_parameters
from squall.core.workflow.definition.spec import load_document, read_task, read_workflow, split_items, targets


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "The spec cannot be type of None."),
        ("- a", "The spec is not type of json or yaml."),
        ("tasks: 5", "Failed to load workflow definition because a string or stream input is required."),
        ("{not yaml: [", "Failed to load workflow definition because while parsing a flow node"),
    ],
)
def test_what_is_no_workflow_is_told_as_stackstorm_tells_it(text: str, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        load_document(text)
    assert str(caught.value).startswith(told)


def test_parameters_in_the_action_take_the_place_of_the_input() -> None:
    task = read_task("t", {"action": 'core.local cmd="a b" n=5', "input": {"x": 1}})
    assert (task.action, task.input) == ("core.local", {"cmd": "a b", "n": 5})
    task = read_task("t", {"action": "core.local cmd=date", "input": {"x": 1}})
    assert (task.action, task.input) == ("core.local cmd=date", {"x": 1})


def test_inline_values_have_types() -> None:
    line = 'a=1 b=-2.5 c=\'x y\' d="5" e=true f=NULL g=null h=<% ctx().x %> i={{ y }} j=[1, "z"]'
    found = dict(inline_parameters(line))
    assert found == {
        "a": 1, "b": -2.5, "c": "x y", "d": "5", "e": True, "g": None, "h": "<% ctx().x %>", "i": "{{ y }}",
        "j": '[1, "z"]',
    }  # fmt: skip


def test_items_have_keys_or_none() -> None:
    assert split_items("x, y in <% zip(a, b) %>") == (("x", "y"), "<% zip(a, b) %>")
    assert split_items(" x in {{ a }} ") == (("x",), "{{ a }} ".strip())
    assert split_items("<% ctx().a %>") == ((), "<% ctx().a %>")


def test_do_is_a_list_or_a_line() -> None:
    assert targets("a, b") == ("a", "b")
    assert targets(["a"]) == ("a",)
    assert targets(None) == ("continue",)


@pytest.mark.parametrize("task", ["text", 5, ["a"], {"next": 5}, {"next": ["a"]}, {"with": 5}, {"retry": {"delay": 1}}])
def test_a_task_that_no_pattern_covers_and_that_is_none_is_refused(task: Any) -> None:
    with pytest.raises(InvalidError, match="is not written like a task"):
        read_workflow({"tasks": {"a b": task}})
