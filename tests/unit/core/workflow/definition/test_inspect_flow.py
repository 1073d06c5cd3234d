"""How a workflow hangs together."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.expr.language import Language
from squall.core.workflow.definition.inspect_flow import context_complaints, semantic_complaints

LANGUAGE = Language()


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ({"fail": {}}, 'The task name "fail" is reserved with special function.'),
        ({"a": {"next": [{"do": "a"}]}}, "Unable to identify any tasks to start the workflow."),
        ({"a": {"next": [{"do": "b"}]}}, 'The task "b" is not defined.'),
        ({"a": {"with": {"items": "<% x %>"}}}, "The action property is required for with items task."),
    ],
)
def test_what_makes_no_sense_is_told(tasks: dict[str, Any], told: str) -> None:
    [found] = semantic_complaints({"tasks": tasks})
    assert found["message"].startswith(told)


def test_a_join_of_ways_that_were_split_differently_is_unreachable() -> None:
    tasks = {
        "a": {"next": [{"do": ["b", "j"]}]},
        "c": {"next": [{"do": "b"}]},
        "b": {"next": [{"do": "j"}]},
        "j": {"join": "all"},
    }
    [found] = semantic_complaints({"tasks": tasks})
    assert found["message"].startswith('The join task "j" is unreachable.')


def complaints(**document: Any) -> list[str]:
    return [each["message"] for each in context_complaints(document, LANGUAGE, ("st2",))]


def test_variables_are_known_after_what_sets_them() -> None:
    tasks = {
        "a": {"input": {"x": "<% ctx().i %>"}, "next": [{"publish": [{"p": 1}, {"q": "<% ctx().p %>"}], "do": "b"}]},
        "b": {"input": {"x": "<% ctx().q %><% ctx().st2.user %>"}},
    }
    assert complaints(input=["i"], vars=[{"v": "<% ctx().i %>"}], tasks=tasks, output=[{"o": "<% ctx(q) %>"}]) == []


def test_variables_used_too_early_are_told() -> None:
    assert complaints(vars=[{"v": "<% ctx().later %>"}, {"later": 1}], tasks={"a": {}}) == [
        'Variable "later" is referenced before assignment.'
    ]


def test_the_engines_own_variables_are_private() -> None:
    found = complaints(tasks={"a": {"delay": "<% ctx().__state %>"}})
    assert 'Variable "__state" that is prefixed with double underscores' in found[0]


def diamonds(count: int, **join: str) -> dict[str, Any]:
    """A chain of forks and joins, or of forks alone; the two sides of each publish different variables."""
    tasks: dict[str, Any] = {}
    for at in range(count):
        tasks[f"a{at}"] = {"next": [{"publish": [{f"{side}{at}": 1}], "do": f"{side}{at}"} for side in "bc"], **join}
        tasks |= {f"{side}{at}": {"next": [{"do": f"a{at + 1}"}]} for side in "bc"}
    first = tasks.pop("a0")
    first.pop("join", None)
    return {"a0": first, **tasks, f"a{count}": {"input": {"x": "<% ctx(b0) %> <% ctx(nothing) %>"}, **join}}


def test_the_number_of_ways_through_a_workflow_does_not_matter() -> None:
    # There are 2**60 ways through each of these.
    assert sorted(complaints(tasks=diamonds(60))) == [
        'Variable "b0" is referenced before assignment.',
        'Variable "nothing" is referenced before assignment.',
    ]
    assert complaints(tasks=diamonds(60, join="all")) == ['Variable "nothing" is referenced before assignment.']
    assert semantic_complaints({"tasks": diamonds(60, join="all")}) == []
    assert semantic_complaints({"tasks": diamonds(60)}) == []


def test_a_join_has_what_any_way_to_it_sets_and_other_tasks_what_all_ways_set() -> None:
    tasks: dict[str, Any] = {
        "s": {"next": [{"do": "t"}, {"publish": [{"x": 1}], "do": "t"}]},
        "t": {"input": {"v": "<% ctx(x) %>"}, "next": [{"do": "j"}]},
        "j": {"join": "all", "input": {"v": "<% ctx(x) %>"}},
    }
    found = context_complaints({"tasks": tasks}, LANGUAGE, ())
    assert [each["spec_path"] for each in found] == ["tasks.t.input"]
