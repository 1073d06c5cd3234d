"""The interface between the nouns and a database: one statement at a time, `?` for parameters, three dialect hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Dialect(NamedTuple):
    """The differences between SQLite and PostgreSQL: a counting primary key, the clause that makes a claim skip locked
    rows, and the query for the bytes of the database.

    The session handles one more difference, the parameter style: statements use `?`.
    """

    identity: str
    skip_locked: str
    size: str = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"


class Session(Protocol):
    """An open transaction (or a reader's view)."""

    @property
    def dialect(self) -> Dialect:
        """The database's dialect."""
        ...

    async def run(self, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        """Executes one statement and returns its rows."""
        ...


def marks(count: int) -> str:
    """Returns `count` parameter marks for an IN list."""
    return ",".join("?" * count)
