"""The check values of key files, and samples of what was encrypted with the keys. It is read when a server starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from squall.adapters.sql.dialect.files import keep_files
from squall.core.access.secret import from_stored, replace_sealed

_SAMPLES = 20
_STORED = (
    "SELECT parameters FROM executions WHERE parameters LIKE '%\"$sealed\"%' ORDER BY start_us DESC LIMIT ?",
    "SELECT results.body FROM results JOIN executions ON executions.id = results.execution "
    "WHERE results.body LIKE '%\"$sealed\"%' ORDER BY start_us DESC LIMIT ?",
)
_FACTS = "SELECT substr(body, 2) FROM workflow_facts WHERE substr(body, 1, 1) = x'01' ORDER BY rowid DESC LIMIT ?"
"""The first byte of sealed facts is 1 (see `services.workflow.runs`)."""


class KeyChecks:
    """The check values in the store at `path`, which has the current schema. Raises `OSError` from every method."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def value(self, name: str) -> str | None:
        """Returns the check value of the key `name`; None if it has none yet."""
        rows = self._rows("SELECT value FROM key_checks WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def keep(self, name: str, value: str) -> None:
        """Stores the check value of the key `name`."""
        self._rows("INSERT OR REPLACE INTO key_checks (name, value) VALUES (?, ?)", name, value)

    def forget(self, name: str) -> None:
        """Removes the check value of the key `name`, so that another key may take its place."""
        if self._rows("SELECT 1 FROM sqlite_master WHERE name = 'key_checks'"):
            self._rows("DELETE FROM key_checks WHERE name = ?", name)

    def envelopes(self) -> list[str]:
        """Returns some of the latest envelopes in parameters and results."""
        envelopes: list[str] = []
        for statement in _STORED:
            for (body,) in self._rows(statement, _SAMPLES):
                replace_sealed(from_stored(msgspec.json.decode(body)), envelopes.append)
        for (body,) in self._rows(_FACTS, _SAMPLES):
            envelopes.append(bytes(body).decode())
        return envelopes

    def ciphertexts(self) -> list[str]:
        """Returns some of the encrypted values of the datastore."""
        return [str(row[0]) for row in self._rows("SELECT value FROM keys WHERE secret = 1 LIMIT ?", _SAMPLES)]

    def _rows(self, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.set_busy_timeout(10_000)
                keep_files(connection)
                return connection.execute(statement, values).fetchall()
            finally:
                connection.close()
        except apsw.Error as error:
            raise OSError(f"{self._path} cannot be used: {error}") from error
