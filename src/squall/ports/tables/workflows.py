"""The tables of workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class WorkflowRecord(msgspec.Struct, frozen=True):
    """The stored data of a workflow's run besides its execution.

    `workflow` is the workflow execution's id (re-runs of its tasks share it), `definition` the key of its text, `seq`
    the number of batches of facts, `snapshot` its state after batch `snapshot_seq`, `since` the bytes of the facts
    behind the snapshot.
    """

    execution: str
    workflow: str
    definition: str
    seq: int = 0
    snapshot: bytes | None = None
    snapshot_seq: int = 0
    since: int = 0


class WorkflowRows(Protocol):
    """The tables of workflows: their texts, their state as snapshots and facts, and the executions of their tasks."""

    async def insert(self, record: WorkflowRecord) -> None:
        """Adds a new workflow."""
        ...

    async def get(self, execution_id: str) -> WorkflowRecord | None:
        """Returns a workflow by its execution's id."""
        ...

    async def seq(self, execution_id: str) -> int | None:
        """Returns the number of a workflow's batches of facts; None if there is no such workflow."""
        ...

    async def append(self, execution_id: str, seq: int, facts: bytes) -> bool:
        """Adds batch `seq`. Returns false, and adds nothing, if the workflow has a batch with this number."""
        ...

    async def facts(self, execution_id: str, after: int) -> Sequence[bytes]:
        """Returns the batches behind `after`, in order."""
        ...

    async def keep(self, execution_id: str, seq: int, snapshot: bytes) -> None:
        """Stores the state after batch `seq`, and removes the batches up to it."""
        ...

    async def keep_definition(self, key: str, text: str) -> None:
        """Stores a workflow's text under its hash."""
        ...

    async def definition(self, key: str) -> str | None:
        """Returns the text with the hash `key`."""
        ...

    async def add_child(self, task_execution: str, item: int, execution_id: str) -> None:
        """Stores the execution of an item (-1: of a task without items); a later attempt replaces it."""
        ...

    async def children(self, task_execution: str) -> Sequence[tuple[int, str, str, Any]]:
        """Returns a task's executions as (item, id, status, result), ordered by item."""
        ...
