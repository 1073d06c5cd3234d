"""The event table: one row for each change, in the order of the transactions."""

from __future__ import annotations

from collections.abc import Sequence

from squall.adapters.sql.dialect.session import Session
from squall.core.event.events import FREQUENT, Change, Event

_COLUMNS = "id, kind, name, resource, tree, status, at_us"


class SqlEvents:
    """`ports.EventRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, change: Change, document: bytes = b"") -> int:
        """Adds an event; returns its row number."""
        rows = await self._session.run(
            "INSERT INTO events (kind, name, resource, tree, status, at_us, document) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "RETURNING id",
            change.kind,
            change.name,
            change.resource,
            change.tree,
            change.status,
            change.at,
            document.decode() if document else None,
        )
        return int(rows[0][0])

    async def after(self, row: int, limit: int) -> Sequence[Event]:
        """Returns up to `limit` events behind `row`."""
        rows = await self._session.run(
            f"SELECT {_COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT {int(limit)}", row
        )
        return [_event(*row) for row in rows]

    async def bounds(self) -> tuple[int, int]:
        """Returns (first row that is still stored, last row)."""
        ((first, last),) = await self._session.run("SELECT min(id), max(id) FROM events")
        return (int(first), int(last)) if last is not None else (0, 0)

    async def document(self, row: int) -> bytes:
        """Returns the document of an event; empty if it has none."""
        rows = await self._session.run("SELECT document FROM events WHERE id = ?", row)
        return rows[0][0].encode() if rows and rows[0][0] is not None else b""

    async def of(self, kind: str, resource: str) -> Sequence[Event]:
        """Returns the events about one resource."""
        rows = await self._session.run(
            f"SELECT {_COLUMNS} FROM events WHERE resource = ? AND kind = ? ORDER BY id", resource, kind
        )
        return [_event(*row) for row in rows]

    async def removed(self, frequent: bool) -> int:
        """Returns the row up to which events were removed: frequent ones, or all others."""
        rows = await self._session.run("SELECT row FROM removed_events WHERE frequent = ?", int(frequent))
        return int(rows[0][0]) if rows else 0

    async def prune(self, keep: int) -> int:
        """Deletes all events but the newest `keep` of the frequent kinds and of all others. Returns the number of
        deleted events.

        The newest row always stays, so that row numbers keep counting up."""
        # SQLite uses the index of frequent rows only if the kinds are in the text of the statement.
        frequent = "kind IN (" + ", ".join(f"'{kind}'" for kind in FREQUENT) + ")"
        return await self._prune(0, f"NOT ({frequent})", max(keep, 1)) + await self._prune(1, frequent, max(keep, 1))

    async def _prune(self, key: int, which: str, keep: int) -> int:
        _, last = await self.bounds()
        if last - await self.removed(bool(key)) <= keep:
            # So few rows came since the last time that the group cannot have too many.
            return 0
        rows = await self._session.run(
            f"DELETE FROM events WHERE {which} AND id <= ("
            f"SELECT id FROM events WHERE {which} ORDER BY id DESC LIMIT 1 OFFSET {int(keep)}) RETURNING id"
        )
        if rows:
            await self._session.run(
                "INSERT INTO removed_events (frequent, row) VALUES (?, ?) "
                "ON CONFLICT (frequent) DO UPDATE SET row = excluded.row",
                key,
                max(row[0] for row in rows),
            )
        return len(rows)


def _event(row: int, kind: str, name: str, resource: str, tree: str, status: str, at: int) -> Event:
    return Event(id=row, kind=kind, name=name, resource=resource, tree=tree, status=status, at=at)
