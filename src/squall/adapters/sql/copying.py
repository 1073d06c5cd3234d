"""Copies of the databases while a server writes to them, and what a backup must know of a copy."""

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
        """Its schema version."""
        return int(self._rows("SELECT version FROM schema_version")[0][0])

    @property
    def last_event(self) -> int:
        """The row of its last event; 0 if there is none."""
        return int(self._rows("SELECT COALESCE(max(id), 0) FROM events")[0][0])

    def unfinished(self) -> list[str]:
        """The trees in which something has not ended, or has a status change that is not yet in its journal."""
        rows = self._rows(
            f"SELECT DISTINCT tree FROM executions WHERE status NOT IN ({marks(len(_FINAL))}) UNION "
            "SELECT executions.tree FROM queue JOIN executions ON executions.id = queue.key WHERE lane = 'journal'",
            *_FINAL,
        )
        return [str(row[0]) for row in rows]

    def begun(self) -> list[tuple[str, int, str]]:
        """Execution, attempt and tree of everything that a worker had begun to run."""
        rows = self._rows(
            "SELECT executions.id, attempt, tree FROM executions JOIN queue ON queue.key = executions.id "
            f"WHERE lane = 'run' AND attempt > 0 AND status NOT IN ({marks(len(_FINAL))})",
            *_FINAL,
        )
        return [(str(execution), int(attempt), str(tree)) for execution, attempt, tree in rows]

    def known(self, trees: Collection[str]) -> set[str]:
        """Which of these have a root execution."""
        found: set[str] = set()
        ordered = sorted(trees)
        for at in range(0, len(ordered), _MANY):
            some = ordered[at : at + _MANY]
            found.update(
                row[0] for row in self._rows(f"SELECT id FROM executions WHERE id IN ({marks(len(some))})", *some)
            )
        return found

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        """Closes it; nothing is left beside its file."""
        self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._connection.close()


def copy_database(source: Path, target: Path) -> None:
    """Copies a database as it is at one moment, also while others write to it. Raises `OSError`."""
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
    """What SQLite finds wrong with a database; empty when it is whole."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            ((found, *_), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
        finally:
            connection.close()
    except apsw.Error as error:
        return str(error)
    return "" if found == "ok" else str(found)


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(10_000)
    return connection
