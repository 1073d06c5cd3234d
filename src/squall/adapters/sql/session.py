"""What the nouns need of a database: one statement at a time, `?` for parameters, and three dialect hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Dialect(NamedTuple):
    """Where SQLite and PostgreSQL differ: a counting primary key, and how a claim skips rows others hold.

    The third difference, the parameter style, is the session's: statements are written with `?`.
    """

    identity: str
    skip_locked: str


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
