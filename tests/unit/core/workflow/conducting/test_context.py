"""Contexts."""

from __future__ import annotations

from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting.context import Contexts, merged
from squall.core.workflow.conducting.state import State
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.spec import read_workflow


def contexts(*added: f.ContextAdded) -> Contexts:
    state = State(Graph(read_workflow({"tasks": {"a": {}}})))
    for fact in added:
        state.apply(fact)
    return Contexts(state)


def test_objects_are_merged_and_nothing_is_changed() -> None:
    left = {"a": {"x": 1}, "l": [1]}
    assert merged(left, {"a": {"y": 2}, "l": [2]}) == {"a": {"x": 1, "y": 2}, "l": [2]}
    assert left == {"a": {"x": 1}, "l": [1]}


def test_a_later_branch_at_a_join_overwrites_only_what_it_published() -> None:
    found = contexts(
        f.ContextAdded({"x": 0, "y": 0}),
        f.ContextAdded({"x": 1}, 0),
        f.ContextAdded({"y": 2}, 0),
        f.ContextAdded({}, 1, 2),
    )
    assert found.full(3) == {"x": 1, "y": 2}
    assert found.added(3) == {"x": 1, "y": 2}
    assert found.added(0) == {}


def test_a_very_long_line_of_contexts_is_worked_out_without_depth() -> None:
    found = contexts(f.ContextAdded({}), *[f.ContextAdded({"i": i}, i) for i in range(5000)])
    assert found.full(5000) == {"i": 4999}
    assert found.added(5000) == {"i": 4999}
    found.forget()
    assert found.variables(10).values == {"i": 9}
