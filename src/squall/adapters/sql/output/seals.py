"""The rows of sealed journals. They are in a SQLite file of their own, so that the store's file stays small.

A row is written once and read whole. The first call opens the connection; one lock serves all threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from squall.adapters import durable
from squall.adapters.sql.dialect.files import keep_files
from squall.adapters.sql.dialect.session import marks
from squall.core.errors import ConfigError
from squall.ports import Seal, SealRow

_TABLE = """CREATE TABLE IF NOT EXISTS seals (
    tree TEXT PRIMARY KEY, place TEXT NOT NULL, size BIGINT NOT NULL, stored BIGINT NOT NULL, digest TEXT NOT NULL,
    at_us BIGINT NOT NULL, body BLOB NOT NULL)"""
_MANY = 500


class SqliteSeals:
    """`ports.SealRows` in the SQLite file at `path`. The first row creates the file (mode 0600).

    With `read_only`, it neither creates nor changes the file: for programs other than the server.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._read_only = read_only
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None

    def _connect(self, create: bool) -> apsw.Connection | None:
        if self._connection is None and (create or self._path.exists()):
            if create:
                self._path.touch(mode=0o600, exist_ok=True)
                durable.sync_folder(self._path.parent)
            flags = apsw.SQLITE_OPEN_READONLY if self._read_only else apsw.SQLITE_OPEN_READWRITE
            connection = apsw.Connection(str(self._path), flags=flags)
            connection.set_busy_timeout(10_000)
            if not self._read_only:
                keep_files(connection)
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL").fetchall()
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
                # The archive removes the live file once the row exists, so the row must survive a loss of power.
                connection.execute("PRAGMA synchronous = FULL").fetchall()
                connection.execute(_TABLE)
            connection.execute("PRAGMA cache_size = -1000").fetchall()
            self._connection = connection
        return self._connection

    def check(self) -> None:
        """Raises `ConfigError` if the file, which had rows, is missing, empty or no database. A file beside it with
        the suffix `.lost` says that its owner knows."""
        if self._path.with_name(f"{self._path.name}.lost").exists():
            return
        fault = ""
        try:
            if not self._path.exists() or not self._path.stat().st_size:
                fault = "is missing or empty, but squall.db knows of output in it"
            else:
                self.trees("", 1)
        except OSError as error:
            fault = f"cannot be used: {error}"
        if fault:
            raise ConfigError(
                f"{self._path} {fault}. Restore it from a backup (squall restore); to go on without the output in it, "
                f"move it away and create the file {self._path}.lost."
            )

    def get(self, tree: str) -> SealRow | None:
        """Returns the row of a tree; None if there is none. Raises `OSError`."""
        with self._lock:
            try:
                if (connection := self._connect(False)) is None:
                    return None
                statement = "SELECT place, size, stored, digest, at_us, body FROM seals WHERE tree = ?"
                rows = connection.execute(statement, (tree,)).fetchall()
            except apsw.Error as error:
                raise OSError(f"{self._path.name} cannot be read: {error}") from error
        if not rows:
            return None
        values: tuple[Any, ...] = rows[0]
        place, size, stored, digest, at, body = values
        return SealRow(tree, Seal(place, size, stored, digest), at, body)

    def places(self, trees: Sequence[str]) -> Mapping[str, str]:
        """Returns the places of those trees that have a row. Raises `OSError`."""
        places: dict[str, str] = {}
        with self._lock:
            try:
                if (connection := self._connect(False)) is None:
                    return places
                for at in range(0, len(trees), _MANY):
                    chunk = trees[at : at + _MANY]
                    statement = f"SELECT tree, place FROM seals WHERE tree IN ({marks(len(chunk))})"
                    places.update(
                        (str(tree), str(place)) for tree, place in connection.execute(statement, tuple(chunk))
                    )
            except apsw.Error as error:
                raise OSError(f"{self._path.name} cannot be read: {error}") from error
        return places

    def put(self, rows: Sequence[SealRow]) -> None:
        """Adds or replaces rows, all of them or none. Raises `OSError`."""
        values = [
            (row.tree, row.seal.place, row.seal.size, row.seal.stored, row.seal.digest, row.at, row.body)
            for row in rows
        ]
        with self._lock:
            try:
                connection = self._connect(True)
                assert connection is not None  # noqa: S101 - `_connect` has just opened it
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO seals VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            except apsw.Error as error:
                raise OSError(f"{self._path.name} cannot be written: {error}") from error

    def delete(self, trees: Sequence[str]) -> None:
        """Deletes rows, and returns their space to the disk. Raises `OSError`."""
        with self._lock:
            try:
                if (connection := self._connect(False)) is None:
                    return
                with connection:
                    for at in range(0, len(trees), _MANY):
                        chunk = trees[at : at + _MANY]
                        connection.execute(f"DELETE FROM seals WHERE tree IN ({marks(len(chunk))})", tuple(chunk))
                connection.execute("PRAGMA incremental_vacuum").fetchall()
            except apsw.Error as error:
                raise OSError(f"{self._path.name} cannot be written: {error}") from error

    def trees(self, after: str, limit: int) -> Sequence[tuple[str, str]]:
        """Returns up to `limit` trees behind `after`, in order, with their places. Raises `OSError`."""
        with self._lock:
            try:
                if (connection := self._connect(False)) is None:
                    return []
                statement = "SELECT tree, place FROM seals WHERE tree > ? ORDER BY tree LIMIT ?"
                return [(str(tree), str(place)) for tree, place in connection.execute(statement, (after, limit))]
            except apsw.Error as error:
                raise OSError(f"{self._path.name} cannot be read: {error}") from error

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
