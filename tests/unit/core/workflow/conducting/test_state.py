"""State is the fold of facts."""

from __future__ import annotations

from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting.facts import decode_facts, encode_facts
from squall.core.workflow.conducting.state import State
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.spec import read_workflow

GRAPH = Graph(
    read_workflow(
        {"tasks": {"a": {"next": [{"do": "j"}]}, "b": {"next": [{"do": "j"}]}, "j": {"join": "all", "action": "x.y"}}}
    )
)
FACTS: list[f.AnyFact] = [
    f.StatusChanged("running"),
    f.ContextAdded({"x": 1}),
    f.RouteAdded(()),
    f.TaskAdded("1", "a", 0, 0, {}, 5, (2, 0.5, None)),
    f.TaskChanged(0, "running", 5),
    f.TaskRetried(0),
    f.ItemsOpened(0, [1, 2], 1),
    f.ItemChanged(0, 0, "running"),
    f.TaskChanged(0, "succeeded", 6),
    f.TransitionTaken(0, "j__t0", "j", True),
    f.Staged("j", 0, 0, {"a__t0": 0}, False),
    f.TaskAdded("2", "b", 0, 0, {}, 5),
    f.TaskChanged(1, "running", 5),
    f.ErrorLogged({"type": "error", "message": "m", "task_id": "b"}),
    f.TaskEnds(1, True),
    f.OutputSet({"o": 1}),
]


def folded(facts: list[f.AnyFact]) -> State:
    state = State(GRAPH)
    for fact in facts:
        state.apply(fact)
    return state


def test_facts_survive_the_store() -> None:
    assert decode_facts(encode_facts(FACTS)) == FACTS


def test_counts_follow_the_latest_runs() -> None:
    state = folded(FACTS)
    seen = [state.tasks]
    for fact in (f.TaskChanged(1, "canceled", 7), f.TaskAdded("3", "b", 0, 0, {}, 8)):
        state.apply(fact)
        seen.append(state.tasks)
    assert [(tasks.active, tasks.canceled) for tasks in seen] == [(True, False), (False, True), (False, False)]


def test_a_join_is_satisfied_by_the_latest_runs_before_it() -> None:
    state = folded(FACTS)
    assert not state.is_satisfied("j", 0)
    state.apply(f.TransitionTaken(1, "j__t0", "j", True))
    assert state.is_satisfied("j", 0)
    state.apply(f.TaskAdded("3", "a", 0, 0, {}, 8))
    assert not state.is_satisfied("j", 0)


def test_items_know_what_the_others_do() -> None:
    items = folded(FACTS).items[0]
    assert items.others(0, starting=False).incomplete
    assert not items.others(0, starting=False).active
    assert items.others(0, starting=True).active
    assert items.others(1, starting=False).active
    assert items.cursor == 1


def test_a_status_is_looked_for_on_the_routes_before_a_split() -> None:
    state = folded(FACTS)
    state.apply(f.RouteAdded(("a__t0",)))
    assert state.status_of("a", 1) == "succeeded"
    assert state.status_of("nosuch", 1) is None


def test_errors_of_a_task_can_be_dropped() -> None:
    state = folded(FACTS)
    state.apply(f.ErrorsDropped("b"))
    assert state.errors == []
    assert not state.knows_error({"type": "error", "message": "m", "task_id": "b"})
