"""The event table: one row for each change, in the order of the transactions that made them."""

from __future__ import annotations

from collections.abc import Sequence

from squall.adapters.sql.dialect.session import Session
from squall.core.event.events import Event
from squall.core.execution.execution import Execution

_COLUMNS = "id, name, execution, tree, status, at_us"


class SqlEvents:
    """`ports.EventRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, name: str, execution: Execution, at: int) -> int:
        """Adds an event; gives its row."""
        rows = await self._session.run(
            "INSERT INTO events (name, execution, tree, status, at_us) VALUES (?, ?, ?, ?, ?) RETURNING id",
            name,
            execution.id,
            execution.tree,
            execution.status,
            at,
        )
        return int(rows[0][0])

    async def after(self, row: int, limit: int) -> Sequence[Event]:
        """Events behind `row`."""
        rows = await self._session.run(
            f"SELECT {_COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT {int(limit)}", row
        )
        return [Event(*row) for row in rows]

    async def bounds(self) -> tuple[int, int]:
        """(first row kept, last row)."""
        ((first, last),) = await self._session.run("SELECT min(id), max(id) FROM events")
        return (int(first), int(last)) if last is not None else (0, 0)

    async def of_execution(self, execution_id: str) -> Sequence[Event]:
        """Those about one execution."""
        rows = await self._session.run(f"SELECT {_COLUMNS} FROM events WHERE execution = ? ORDER BY id", execution_id)
        return [Event(*row) for row in rows]

    async def prune(self, keep: int) -> int:
        """Deletes all but the newest `keep`; the newest row always stays, so that rows keep counting up."""
        rows = await self._session.run(
            "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ? RETURNING id", max(keep, 1)
        )
        return len(rows)
