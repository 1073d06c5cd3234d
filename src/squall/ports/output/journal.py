"""The journal: what executions printed, by position."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from squall.core.output.journal import Batch, Record


class Watch(Protocol):
    """A reader's standing interest in one tree's journal."""

    @property
    def head(self) -> int:
        """The position behind the last record known of; 0 while there is no journal."""
        ...

    @property
    def changes(self) -> int:
        """How often the tree has been poked: asked before looking elsewhere, and given to `beyond`, it closes the gap
        in which a poke would be missed."""
        ...

    async def beyond(self, position: int, timeout: float, seen: int | None = None) -> bool:
        """Waits until there is something after `position`, a poke, or `timeout` seconds; true if there is something.

        Does not wait when `changes` is no longer what was `seen`.
        """
        ...


class Journal(Protocol):
    """The one door to what executions printed. Positions are numbers here, and tokens for everybody outside."""

    def watch(self, tree: str) -> AbstractContextManager[Watch]:
        """Interest in a tree, from before the first read on: subscribe first, then read."""
        ...

    def head(self, tree: str) -> int:
        """Where the tree's journal ends now; 0 when it has none. Cheaper than interest in it."""
        ...

    def poke(self, tree: str) -> None:
        """Wakes those who wait for the tree, because something else about it changed."""
        ...

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Whole records after a position, about `limit` bytes of them (at least one, if there is one)."""
        ...

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """As `read`, but only one execution's records, found by their chain."""
        ...

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """The last output records of the execution whose last record starts there, oldest first, found by walking its
        chain back: of each stream (by number) about so many bytes."""
        ...

    async def check(self, tree: str, position: int) -> bool:
        """Whether `position` is one of this journal (0 always is)."""
        ...
