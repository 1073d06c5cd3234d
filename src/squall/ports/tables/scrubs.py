"""The tables of the scrubber, which checks stored output all the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class ScrubMark(msgspec.Struct, frozen=True):
    """How far the scrubber has come: behind the tree that started at `start` (µs) with the id `tree`, in the round of
    that number, which began at `begun` (µs). Without a tree that round is complete, or no round has begun (0)."""

    start: int = 0
    tree: str = ""
    round: int = 0
    begun: int = 0


class Damage(msgspec.Struct, frozen=True):
    """The faults in the journal of a tree, and when the first of them was found (µs). Without faults it is whole."""

    tree: str
    found: int
    faults: tuple[str, ...]


class ScrubRows(Protocol):
    """The tables of the scrubber."""

    async def mark(self) -> ScrubMark:
        """Returns how far the scrubber has come."""
        ...

    async def advance(self, mark: ScrubMark) -> None:
        """Stores how far the scrubber has come."""
        ...

    async def note(self, damage: Damage) -> None:
        """Stores the faults of a tree's journal; removes its row if there are none. The time of an earlier row stays.
        Does nothing if the tree has been removed."""
        ...

    async def damages(self, limit: int) -> Sequence[Damage]:
        """Returns up to `limit` trees with damaged journals, the newest first."""
        ...

    async def known(self, tree: str) -> bool:
        """Returns whether a tree has stored faults."""
        ...

    async def count(self) -> int:
        """Returns the number of trees with damaged journals."""
        ...
