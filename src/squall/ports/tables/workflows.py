"""The tables of workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class WorkflowRecord(msgspec.Struct, frozen=True):
    """What is stored of one workflow's run beside its execution.

    `workflow` is the workflow execution's id (re-runs of its tasks share it), `definition` the key of its text, `seq`
    how many batches of facts have been written, `snapshot` its state after batch `snapshot_seq`, `since` how many
    bytes of facts came behind it.
    """

    execution: str
    workflow: str
    definition: str
    seq: int = 0
    snapshot: bytes | None = None
    snapshot_seq: int = 0
    since: int = 0


class WorkflowRows(Protocol):
    """Workflows: their texts, their state as snapshots and facts, and the executions their tasks asked for."""

    async def insert(self, record: WorkflowRecord) -> None:
        """Adds a new one."""
        ...

    async def get(self, execution_id: str) -> WorkflowRecord | None:
        """One by its execution's id."""
        ...

    async def seq(self, execution_id: str) -> int | None:
        """How many batches of facts one has; None if it is not there."""
        ...

    async def append(self, execution_id: str, seq: int, facts: bytes) -> bool:
        """Adds batch `seq`; false, and nothing is done, when another has been there first."""
        ...

    async def facts(self, execution_id: str, after: int) -> Sequence[bytes]:
        """The batches behind `after`, in order."""
        ...

    async def keep(self, execution_id: str, seq: int, snapshot: bytes) -> None:
        """Keeps the state after batch `seq`, and drops the batches up to it."""
        ...

    async def keep_definition(self, key: str, text: str) -> None:
        """Keeps a workflow's text under its hash."""
        ...

    async def definition(self, key: str) -> str | None:
        """The text kept under `key`."""
        ...

    async def add_child(self, task_execution: str, item: int, execution_id: str) -> None:
        """Notes the execution of an item (-1: of a task without items); a later attempt takes its place."""
        ...

    async def children(self, task_execution: str) -> Sequence[tuple[int, str, str, Any]]:
        """A task's executions: (item, id, status, result), by item."""
        ...
