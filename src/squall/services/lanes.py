"""The lanes of the queue, the topics of hints, and the payloads of each lane.

A payload is a tagged document: `{"type": "child", …}`. Rows of version 0.1.0 have lists of values; they are readable
too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from squall.core.errors import SquallError
from squall.core.execution import execution as ex
from squall.ports import Due

RUN = "run"
"""The lane of executions that wait for a worker. Its rows have no payload; the key is the execution's id."""

ADVANCE = "advance"
"""The lane of workflows to advance, and the topic of hints about them. The key is the workflow's execution id."""

JOURNAL = "journal"
"""The lane of records to append to a tree's journal, and the topic of hints about it. The key is the id of the
record's execution."""

UNSYNCED = "unsynced"
"""The lane of final statuses that are in a journal, but perhaps not on the disk. Nobody claims its rows. They go when
the journal is sealed; after a loss of power they return to lane `journal`. The key is that of lane `journal`."""

AT_ONCE = 0
"""The time (µs) from which a row may be claimed that must not wait. The present would not do: if the clock is set back,
such a row would wait until the clock is there again, and later ones would overtake it."""

PURGE = "purge"
"""The lane of journals to remove. The key is the id of one of the trees."""

RULES = "rules"
"""The lane of trigger instances to evaluate, and the topic of hints about them. The key is the instance's id."""

GATES = "gates"
"""The lane of rules that fire at a time, and the topic of hints about them. Its rows have no payload; the key is the id
of a state. A row whose state was dropped means nothing."""
SCHEDULE = "schedule"
"""The lane of timers, and the topic of hints about them. The key is the trigger's id. A row has no payload, and is
due at the nominal time of the timer's next fire. Whoever changes a timer replaces its row, so that a decision about the
timer as it was before cannot be written."""

NOTIFICATIONS = "notifications"
"""The lane of ended executions whose `notify` sections are to be sent, and the topic of hints about them. The key is
the execution's id."""

REBINDING = "rebinding"
"""The lane of changes after which the parameters of triggers are rendered again, and the topic of hints about them. The
key is the name of the lane: one call handles all of its rows."""

CANCEL = "cancel"
"""The topic of executions whose processes must end."""

CHANGED = "changed"
"""The topic of trees that have changed."""

COMPLETE = "complete"
"""The topic of trees that have ended and whose journals are closed."""

VOID = "access"
"""The topic of credentials that were revoked: the key is the credential's hash."""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """A row of lane `advance`: the workflow starts."""


class ChildChanged(msgspec.Struct, frozen=True, tag="child"):
    """A row of lane `advance`: a child of the workflow has a new status."""

    execution: str
    status: str


class StatusRequested(msgspec.Struct, frozen=True, tag="asked"):
    """A row of lane `advance`: a client requested the workflow to pause, resume or cancel."""

    status: str


class MoreToDo(msgspec.Struct, frozen=True, tag="more"):
    """A row of lane `advance`: the last batch did not finish all decisions."""


Advance = Start | ChildChanged | StatusRequested | MoreToDo


class StatusRecord(msgspec.Struct, frozen=True, tag="status"):
    """A row of lane `journal`: the status of an execution at `at` (µs). `event` is the row of its event.

    If `create` is true, the journal is created if it does not exist.
    """

    tree: str
    status: str
    event: int
    at: int
    create: bool


class ProgressRecords(msgspec.Struct, frozen=True, tag="progress"):
    """A row of lane `journal`: the progress notes of a workflow at `at` (µs); each note becomes one record."""

    tree: str
    at: int
    notes: list[dict[str, Any]]


JournalRecords = StatusRecord | ProgressRecords


class JournalRemoval(msgspec.Struct, frozen=True, tag="removal"):
    """A row of lane `purge`: trees whose rows are deleted and whose journals must be removed."""

    trees: list[str]


class EvaluationRow(msgspec.Struct, frozen=True, tag="evaluation"):
    """A row of lane `rules`: an instance of the trigger with this ref."""

    trigger: str


class PayloadError(SquallError):
    """A row of the queue has a payload that this version cannot read."""

    code = "internal"


def advance_of(due: Due) -> Advance:
    """Returns the payload of a row of lane `advance`. Raises `PayloadError`."""
    advance: Advance = _read(due, Advance, _old_advance)
    return advance


def records_of(due: Due) -> JournalRecords:
    """Returns the payload of a row of lane `journal`. Raises `PayloadError`."""
    records: JournalRecords = _read(due, JournalRecords, _old_records)
    return records


def removal_of(due: Due) -> JournalRemoval:
    """Returns the payload of a row of lane `purge`. Raises `PayloadError`."""
    removal: JournalRemoval = _read(due, JournalRemoval, JournalRemoval)
    return removal


def evaluation_of(due: Due) -> EvaluationRow:
    """Returns the payload of a row of lane `rules`. Raises `PayloadError`."""
    evaluation: EvaluationRow = _read(due, EvaluationRow, lambda values: EvaluationRow(*values))
    return evaluation


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
    """Checks whether these are the last records of an execution in its journal."""
    return isinstance(records, StatusRecord) and records.status in ex.FINAL
