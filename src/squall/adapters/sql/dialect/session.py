"""What the nouns need of a database: one statement at a time, `?` for parameters, and three dialect hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Dialect(NamedTuple):
    """Where SQLite and PostgreSQL differ: a counting primary key, how a claim skips rows others hold, and the query for
    the bytes of the database.

    One more difference, the parameter style, is the session's: statements are written with `?`.
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
        """Executes one statement and gives its rows."""
        ...


def marks(count: int) -> str:
    """`count` parameter marks for an IN list."""
    return ",".join("?" * count)
