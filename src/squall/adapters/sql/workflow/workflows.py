"""Workflows: definition texts by hash, state as a snapshot and later batches of facts, and the executions of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from squall.adapters.sql.dialect.documents import document
from squall.adapters.sql.dialect.session import Session
from squall.ports.tables.workflows import WorkflowRecord


class SqlWorkflows:
    """`ports.WorkflowRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def insert(self, record: WorkflowRecord) -> None:
        """Adds a new workflow."""
        await self._session.run(
            "INSERT INTO workflows (execution, workflow, definition, seq, snapshot_seq, since) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (execution) DO NOTHING",
            record.execution,
            record.workflow,
            record.definition,
            record.seq,
            record.snapshot_seq,
            record.since,
        )
        if record.snapshot is not None:
            await self._keep_snapshot(record.execution, record.snapshot)

    async def get(self, execution_id: str) -> WorkflowRecord | None:
        """Returns the workflow of an execution; None if there is none."""
        rows = await self._session.run(
            "SELECT w.execution, workflow, definition, seq, body, snapshot_seq, since FROM workflows w "
            "LEFT JOIN workflow_snapshots s ON s.execution = w.execution WHERE w.execution = ?",
            execution_id,
        )
        return WorkflowRecord(*rows[0]) if rows else None

    async def seq(self, execution_id: str) -> int | None:
        """Returns the number of batches of facts that a workflow has; None if there is no such workflow."""
        rows = await self._session.run("SELECT seq FROM workflows WHERE execution = ?", execution_id)
        return int(rows[0][0]) if rows else None

    async def append(self, execution_id: str, seq: int, facts: bytes) -> bool:
        """Adds batch `seq` if it is the next one. Returns False if it is not."""
        rows = await self._session.run(
            "UPDATE workflows SET seq = ?, since = since + ? WHERE execution = ? AND seq = ? RETURNING seq",
            seq,
            len(facts),
            execution_id,
            seq - 1,
        )
        if not rows:
            return False
        await self._session.run(
            "INSERT INTO workflow_facts (execution, seq, body) VALUES (?, ?, ?)", execution_id, seq, facts
        )
        return True

    async def facts(self, execution_id: str, after: int) -> Sequence[bytes]:
        """Returns the batches behind `after`, in order."""
        rows = await self._session.run(
            "SELECT body FROM workflow_facts WHERE execution = ? AND seq > ? ORDER BY seq", execution_id, after
        )
        return [bytes(row[0]) for row in rows]

    async def keep(self, execution_id: str, seq: int, snapshot: bytes) -> None:
        """Stores the state after batch `seq`, and deletes the batches up to it."""
        await self._session.run(
            "UPDATE workflows SET snapshot_seq = ?, since = 0 WHERE execution = ?", seq, execution_id
        )
        await self._keep_snapshot(execution_id, snapshot)
        await self._session.run("DELETE FROM workflow_facts WHERE execution = ? AND seq <= ?", execution_id, seq)

    async def _keep_snapshot(self, execution_id: str, snapshot: bytes) -> None:
        await self._session.run(
            "INSERT INTO workflow_snapshots (execution, body) VALUES (?, ?) "
            "ON CONFLICT (execution) DO UPDATE SET body = excluded.body",
            execution_id,
            snapshot,
        )

    async def keep_definition(self, key: str, text: str) -> None:
        """Stores a definition's text under its hash."""
        await self._session.run(
            "INSERT INTO workflow_definitions (key, body) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, text
        )

    async def definition(self, key: str) -> str | None:
        """Returns the text stored under `key`; None if there is none."""
        rows = await self._session.run("SELECT body FROM workflow_definitions WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    async def add_child(self, task_execution: str, item: int, execution_id: str) -> None:
        """Stores the execution of a task's item. A later attempt replaces it."""
        await self._session.run(
            "INSERT INTO workflow_children (task_execution, item, execution) VALUES (?, ?, ?) "
            "ON CONFLICT (task_execution, item) DO UPDATE SET execution = excluded.execution",
            task_execution,
            item,
            execution_id,
        )

    async def children(self, task_execution: str) -> Sequence[tuple[int, str, str, Any]]:
        """Returns a task's executions by item: (item, id, status, result)."""
        rows = await self._session.run(
            "SELECT c.item, c.execution, e.status, r.body FROM workflow_children c "
            "JOIN executions e ON e.id = c.execution LEFT JOIN results r ON r.execution = c.execution "
            "WHERE c.task_execution = ? ORDER BY c.item",
            task_execution,
        )
        return [(row[0], row[1], row[2], document(row[3]) if row[3] else None) for row in rows]
