"""The table of suspects: what the server worked on when it died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Suspect(msgspec.Struct, frozen=True):
    """A subject of a lane of the queue, the deaths of the server while it worked on it, and the time of the start
    after the first one (µs)."""

    lane: str
    subject: str
    deaths: int
    since: int


class SuspectRows(Protocol):
    """The table of suspects."""

    async def blame(self, lane: str, subject: str, at: int) -> None:
        """Adds one death to a subject; `at` (µs) is the time of a new row."""
        ...

    async def put(self, suspect: Suspect) -> None:
        """Stores a suspect in place of the row of its subject."""
        ...

    async def remove(self, lane: str, subject: str) -> None:
        """Removes the row of a subject, if there is one."""
        ...

    async def all(self) -> Sequence[Suspect]:
        """Returns all suspects, the oldest first."""
        ...
