"""What rows of the queue say: tagged documents, and the lists that version 0.1.0 wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from squall.ports import Due
from squall.services import lanes
from squall.services.lanes import PayloadError, advance_of, is_final, records_of, removal_of

TREE, CHILD = "a" * 24, "b" * 24


def due(lane: str, payload: Any) -> Due:
    return Due(1, lane, TREE, msgspec.json.decode(msgspec.json.encode(payload)), 1, 1)


@pytest.mark.parametrize(
    ("payload", "old"),
    [
        (lanes.Start(), ["start"]),
        (lanes.ChildChanged(CHILD, "succeeded"), ["child", CHILD, "succeeded"]),
        (lanes.StatusRequested("pausing"), ["asked", "pausing"]),
        (lanes.MoreToDo(), ["more"]),
    ],
)
def test_rows_of_workflows_are_read_in_both_forms(payload: Any, old: list[Any]) -> None:
    assert advance_of(due(lanes.ADVANCE, payload)) == payload
    assert advance_of(due(lanes.ADVANCE, old)) == payload


@pytest.mark.parametrize(
    ("payload", "old"),
    [
        (lanes.StatusRecord(TREE, "succeeded", 7, 5, True), [TREE, "succeeded", 7, 5, True]),
        (lanes.ProgressRecords(TREE, 5, [{"event": "x"}]), [TREE, None, 5, [{"event": "x"}]]),
    ],
)
def test_rows_of_journals_are_read_in_both_forms(payload: Any, old: list[Any]) -> None:
    assert records_of(due(lanes.JOURNAL, payload)) == payload
    assert records_of(due(lanes.JOURNAL, old)) == payload


def test_rows_of_purges_are_read_in_both_forms() -> None:
    assert removal_of(due(lanes.PURGE, lanes.JournalRemoval([TREE]))) == lanes.JournalRemoval([TREE])
    assert removal_of(due(lanes.PURGE, [TREE])) == lanes.JournalRemoval([TREE])


def test_only_a_final_status_ends_a_journal() -> None:
    assert is_final(lanes.StatusRecord(TREE, "failed", 7, 5, False))
    assert not is_final(lanes.StatusRecord(TREE, "running", 7, 5, False))
    assert not is_final(lanes.ProgressRecords(TREE, 5, []))


@pytest.mark.parametrize("payload", [None, {}, {"type": "other"}, [], ["other"], ["child"], "x", {"type": "child"}])
def test_what_a_row_says_that_is_unknown_is_named(payload: Any) -> None:
    with pytest.raises(PayloadError, match="row 1 of lane advance"):
        advance_of(due(lanes.ADVANCE, payload))
