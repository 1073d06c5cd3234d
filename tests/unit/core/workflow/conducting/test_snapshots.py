"""A snapshot holds everything of a state."""

from __future__ import annotations

from tests.unit.core.workflow.conducting.test_state import FACTS, GRAPH, folded

from squall.core.workflow.conducting.snapshots import restored, snapshot


def test_a_snapshot_is_the_state_with_all_its_answers() -> None:
    state = folded(FACTS)
    again = restored(GRAPH, snapshot(state))
    assert snapshot(again) == snapshot(state)
    assert again.tasks == state.tasks
    assert again.is_satisfied("j", 0) == state.is_satisfied("j", 0)
    assert again.terminal == state.terminal
    assert again.knows_error({"type": "error", "message": "m", "task_id": "b"})
