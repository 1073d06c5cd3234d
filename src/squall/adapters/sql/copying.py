"""Copies databases while a server writes to them, and reads from a copy the facts that a backup needs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import apsw

from squall.adapters.sql.dialect.session import marks
from squall.core.execution.execution import FINAL

_FINAL = sorted(FINAL)
_MANY = 500


class Copy:
    """A copy of the store at `path`."""

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)

    @property
    def schema(self) -> int:
        """The copy's schema version."""
        return int(self._rows("SELECT version FROM schema_version")[0][0])

    @property
    def last_event(self) -> int:
        """The row number of the last event; 0 if there is none."""
        return int(self._rows("SELECT COALESCE(max(id), 0) FROM events")[0][0])

    def unfinished(self) -> list[str]:
        """Returns the trees with an execution that has not ended, or with a status change that is not yet in the
        journal."""
        rows = self._rows(
            f"SELECT DISTINCT tree FROM executions WHERE status NOT IN ({marks(len(_FINAL))}) UNION "
            "SELECT executions.tree FROM queue JOIN executions ON executions.id = queue.key WHERE lane = 'journal'",
            *_FINAL,
        )
        return [str(row[0]) for row in rows]

    def begun(self) -> list[tuple[str, int, str]]:
        """Returns execution, attempt and tree of every unfinished execution that a worker has begun to run."""
        rows = self._rows(
            "SELECT executions.id, attempt, tree FROM executions JOIN queue ON queue.key = executions.id "
            f"WHERE lane = 'run' AND attempt > 0 AND status NOT IN ({marks(len(_FINAL))})",
            *_FINAL,
        )
        return [(str(execution), int(attempt), str(tree)) for execution, attempt, tree in rows]

    def known(self, trees: Collection[str]) -> set[str]:
        """Returns those of `trees` that have a root execution."""
        ids: set[str] = set()
        ordered = sorted(trees)
        for at in range(0, len(ordered), _MANY):
            chunk = ordered[at : at + _MANY]
            ids.update(
                row[0] for row in self._rows(f"SELECT id FROM executions WHERE id IN ({marks(len(chunk))})", *chunk)
            )
        return ids

    def end_leases(self) -> None:
        """Ends all leases of the server that was copied: it will not renew them here. Raises `OSError`."""
        try:
            self._rows("UPDATE queue SET owner = NULL, available_us = 0, token = token + 1 WHERE owner IS NOT NULL")
        except apsw.Error as error:
            raise OSError(f"the leases in the copy cannot be ended: {error}") from error

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Closes the copy, and leaves no WAL file beside it."""
        self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._connection.close()


def copy_database(source: Path, target: Path) -> None:
    """Copies the state of a database at one moment, even while a server writes to it. Raises `OSError`."""
    try:
        connection = _open(source)
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()
        target.chmod(0o600)
    except apsw.Error as error:
        raise OSError(f"{source} cannot be copied: {error}") from error


def check_database(path: Path) -> str:
    """Returns the first fault that SQLite finds in a database; an empty text if there is none."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            ((verdict, *_), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
        finally:
            connection.close()
    except apsw.Error as error:
        return str(error)
    return "" if verdict == "ok" else str(verdict)


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(10_000)
    return connection
