"""Deletes executions from every table that has rows about them."""

from __future__ import annotations

from collections.abc import Sequence

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.execution.execution import FINAL
from squall.core.execution.retention import Finished
from squall.core.execution.trace import EXECUTION

_FINAL = sorted(FINAL)
_MANY = 500

ABOUT = (
    ("results", "execution"),
    ("queue", "key"),
    ("suspects", "subject"),
    ("slots", "execution"),
    ("workflows", "execution"),
    ("workflow_snapshots", "execution"),
    ("workflow_facts", "execution"),
    ("workflow_children", "execution"),
    ("timer_executions", "execution"),
)
"""The tables with rows about single executions, and the column of the execution's id. Add each new such table here."""


class SqlRetention:
    """`ports.RetentionRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def finished(self, after: tuple[int, str], before: int, limit: int) -> Sequence[Finished]:
        """Returns roots whose tree has ended, by start and id: those behind `after` that started before `before`."""
        final = marks(len(_FINAL))
        rows = await self._session.run(
            "SELECT id, action, status, start_us, end_us, COALESCE(stored, 0) FROM executions AS root "
            "LEFT JOIN journals ON journals.tree = root.id "
            "WHERE parent IS NULL AND (start_us, id) > (?, ?) AND start_us < ? "
            f"AND root.status IN ({final}) AND end_us IS NOT NULL AND NOT EXISTS ("
            "SELECT 1 FROM executions AS child WHERE child.tree = root.id AND child.parent IS NOT NULL "
            f"AND child.status NOT IN ({final})) ORDER BY start_us, id LIMIT {int(limit)}",
            *after,
            before,
            *_FINAL,
            *_FINAL,
        )
        return [Finished(*row) for row in rows]

    async def _ids(self, trees: Sequence[str]) -> list[str]:
        ids: list[str] = []
        for at in range(0, len(trees), _MANY):
            chunk = trees[at : at + _MANY]
            rows = await self._session.run(
                f"SELECT id FROM executions WHERE id IN ({marks(len(chunk))}) UNION ALL "
                f"SELECT id FROM executions WHERE tree IN ({marks(len(chunk))}) AND parent IS NOT NULL",
                *chunk,
                *chunk,
            )
            ids += [row[0] for row in rows]
        return ids

    async def purge(self, trees: Sequence[str]) -> int:
        """Deletes the rows of whole trees. Returns the number of deleted executions."""
        ids = await self._ids(trees)
        for at in range(0, len(ids), _MANY):
            chunk = ids[at : at + _MANY]
            among = f"IN ({marks(len(chunk))})"
            for table, column in ABOUT:
                await self._session.run(f"DELETE FROM {table} WHERE {column} {among}", *chunk)
            traced = await self._session.run(
                f"DELETE FROM trace_parts WHERE object {among} AND kind = ? RETURNING trace", *chunk, EXECUTION
            )
            await self._drop_empty_traces(sorted({row[0] for row in traced}))
            # The newest event stays, without its document, so that row numbers keep counting up.
            await self._session.run(
                f"DELETE FROM events WHERE resource {among} AND id < (SELECT max(id) FROM events)", *chunk
            )
            await self._session.run(f"UPDATE events SET document = NULL WHERE resource {among}", *chunk)
            await self._session.run(f"DELETE FROM journals WHERE tree {among}", *chunk)
            await self._session.run(f"DELETE FROM faults WHERE tree {among}", *chunk)
            await self._session.run(f"DELETE FROM executions WHERE id {among}", *chunk)
        return len(ids)

    async def _drop_empty_traces(self, traces: Sequence[str]) -> None:
        for at in range(0, len(traces), _MANY):
            chunk = traces[at : at + _MANY]
            await self._session.run(
                f"DELETE FROM traces WHERE id IN ({marks(len(chunk))}) "
                "AND NOT EXISTS (SELECT 1 FROM trace_parts WHERE trace = traces.id)",
                *chunk,
            )

    async def count(self, trees: Sequence[str]) -> int:
        """Returns the number of executions in these trees."""
        return len(await self._ids(trees))

    async def used_snapshots(self) -> Sequence[str]:
        """Returns the snapshot keys of all executions."""
        return [row[0] for row in await self._session.run("SELECT DISTINCT snapshot FROM executions")]

    async def drop_snapshots(self, used: Sequence[str], since: int) -> int:
        """Deletes the snapshots that are neither `used` nor of executions that started behind `since` (µs), the
        definitions without a workflow, and the documents of rules without an execution. Returns the number of deleted
        rows."""
        used_keys = set(used)
        recent = await self._session.run("SELECT DISTINCT snapshot FROM executions WHERE start_us > ?", since)
        used_keys.update(row[0] for row in recent)
        unused = [row[0] for row in await self._session.run("SELECT key FROM snapshots") if row[0] not in used_keys]
        for at in range(0, len(unused), _MANY):
            chunk = unused[at : at + _MANY]
            await self._session.run(f"DELETE FROM snapshots WHERE key IN ({marks(len(chunk))})", *chunk)
        texts = await self._session.run(
            "DELETE FROM workflow_definitions WHERE NOT EXISTS ("
            "SELECT 1 FROM workflows WHERE definition = workflow_definitions.key) RETURNING key"
        )
        origins = await self._session.run(
            "DELETE FROM origins WHERE NOT EXISTS (SELECT 1 FROM executions WHERE origin = origins.key) RETURNING key"
        )
        return len(unused) + len(texts) + len(origins)

    async def size(self) -> int:
        """Returns the size of the database in bytes."""
        ((size,),) = await self._session.run(self._session.dialect.size)
        return int(size)
