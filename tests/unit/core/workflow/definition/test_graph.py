"""Graphs of workflows."""

from __future__ import annotations

from typing import Any

from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.spec import read_workflow


def graph(**tasks: Any) -> Graph:
    written = {name: {"next": [{"do": do} for do in out]} for name, out in tasks.items()}
    return Graph(read_workflow({"tasks": written}))


def test_starts_are_tasks_that_nothing_leads_to() -> None:
    assert graph(b=["c"], a=["c"], c=[]).starts == ("a", "b")


def test_cycles_are_found_however_long() -> None:
    found = graph(a=["b"], b=["c"], c=["d", "b"], d=["d"], e=["a"])
    assert [name for name in "abcde" if found.in_cycle(name)] == ["b", "c", "d"]


def test_a_task_that_several_lead_to_splits_unless_it_joins_or_cycles() -> None:
    found = graph(a=["c"], b=["c"], c=["d"], d=["d"])
    assert found.splits("c")
    assert not found.splits("d")
    assert not found.splits("a")


def test_ways_have_orquestas_names_in_the_order_of_their_targets() -> None:
    found = graph(a=["c", "b", "c"])
    assert [edge.id for edge in found.outbound["a"]] == ["b__t0", "c__t0", "c__t1"]


def test_the_command_retry_is_three_tries() -> None:
    found = graph(a=["retry"])
    assert (found.retries["a"].count, found.retries["a"].when) == (3, "<% completed() %>")
    assert found.outbound["a"] == ()


def test_joins_need_all_or_some() -> None:
    written = {"a": {"next": [{"do": "j"}]}, "b": {"next": [{"do": "j"}]}, "j": {"join": "all"}, "k": {"join": 1}}
    found = Graph(read_workflow({"tasks": written}))
    assert (found.required("j"), found.required("k"), found.required("a")) == (2, 1, 1)
    assert found.knows("fail")
    assert not found.knows("nosuch")
