"""The queue's lanes and the topics of hints, and what a row of each lane says.

A payload is a tagged document: `{"type": "child", …}`. Rows of version 0.1.0 hold lists of values, and are read as
well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from squall.core.errors import SquallError
from squall.core.execution import execution as ex
from squall.ports import Due

RUN = "run"
"""The lane of executions that a worker is to run. Its rows have no payload: the key is the execution's id."""

ADVANCE = "advance"
"""The lane of workflows, and the topic of hints about them. The key is the workflow's execution id."""

JOURNAL = "journal"
"""The lane of records that are to be appended to a tree's journal, and the topic of hints about it. The key is the
id of the execution that a record is about."""

PURGE = "purge"
"""The lane of journals that are to be removed. The key is the id of one of the trees."""

CANCEL = "cancel"
"""The topic of executions whose processes are to be ended."""

CHANGED = "changed"
"""The topic of trees of which something has changed."""

COMPLETE = "complete"
"""The topic of trees that have ended, and whose journals have been closed."""

VOID = "access"
"""The topic of credentials that were revoked: the key is the credential's hash."""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Lane `advance`: the workflow is to begin."""


class ChildChanged(msgspec.Struct, frozen=True, tag="child"):
    """Lane `advance`: a child of the workflow has got a status."""

    execution: str
    status: str


class StatusRequested(msgspec.Struct, frozen=True, tag="asked"):
    """Lane `advance`: somebody asked the workflow to pause, to resume or to cancel."""

    status: str


class MoreToDo(msgspec.Struct, frozen=True, tag="more"):
    """Lane `advance`: the last batch left something to be decided."""


Advance = Start | ChildChanged | StatusRequested | MoreToDo


class StatusRecord(msgspec.Struct, frozen=True, tag="status"):
    """Lane `journal`: a status of an execution at `at` (µs), whose event has the row number `event`.

    `create` makes the journal if there is none.
    """

    tree: str
    status: str
    event: int
    at: int
    create: bool


class ProgressRecords(msgspec.Struct, frozen=True, tag="progress"):
    """Lane `journal`: what a workflow did at `at` (µs), one record for each note."""

    tree: str
    at: int
    notes: list[dict[str, Any]]


JournalRecords = StatusRecord | ProgressRecords


class JournalRemoval(msgspec.Struct, frozen=True, tag="removal"):
    """Lane `purge`: trees whose rows are gone, and whose journals are to go."""

    trees: list[str]


class PayloadError(SquallError):
    """A row of the queue says something that this version does not know."""

    code = "internal"


def advance_of(due: Due) -> Advance:
    """What a row of lane `advance` says. Raises `PayloadError`."""
    advance: Advance = _read(due, Advance, _old_advance)
    return advance


def records_of(due: Due) -> JournalRecords:
    """What a row of lane `journal` says. Raises `PayloadError`."""
    records: JournalRecords = _read(due, JournalRecords, _old_records)
    return records


def removal_of(due: Due) -> JournalRemoval:
    """What a row of lane `purge` says. Raises `PayloadError`."""
    removal: JournalRemoval = _read(due, JournalRemoval, JournalRemoval)
    return removal


def _read(due: Due, kind: Any, old: Callable[[list[Any]], Any]) -> Any:
    try:
        return old(due.payload) if isinstance(due.payload, list) else msgspec.convert(due.payload, kind)
    except (msgspec.ValidationError, LookupError, TypeError, ValueError) as error:
        raise PayloadError(f"row {due.id} of lane {due.lane} cannot be read: {error}") from error


def _old_advance(values: list[Any]) -> Advance:
    kinds: Mapping[str, Callable[..., Advance]] = {
        "start": Start,
        "child": ChildChanged,
        "asked": StatusRequested,
        "more": MoreToDo,
    }
    return kinds[values[0]](*values[1:])


def _old_records(values: list[Any]) -> JournalRecords:
    if values[1] is None:
        return ProgressRecords(values[0], values[2], values[3])
    return StatusRecord(*values)


def is_final(records: JournalRecords) -> bool:
    """Whether these are the last records that an execution's journal gets."""
    return isinstance(records, StatusRecord) and records.status in ex.FINAL
