"""The journal: what executions printed, by place. Only the adapter knows what the number of a place means."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from squall.core.output.journal import Batch, Record
from squall.core.output.places import Place


class Watch(Protocol):
    """A reader's standing interest in one tree's journal."""

    @property
    def head(self) -> Place:
        """The place behind the last record known of; `BEGINNING` while there is no journal."""
        ...

    @property
    def changes(self) -> int:
        """How often the tree has been poked: asked before looking elsewhere, and given to `beyond`, it closes the gap
        in which a poke would be missed."""
        ...

    async def beyond(self, place: Place | None, timeout: float, seen: int | None = None) -> bool:
        """Waits until there is something after `place` (None: no output counts), a poke, or `timeout` seconds; true if
        there is something.

        Does not wait when `changes` is no longer what was `seen`.
        """
        ...


class Journal(Protocol):
    """The one door to what executions printed."""

    def watch(self, tree: str) -> AbstractContextManager[Watch]:
        """Interest in a tree, from before the first read on: subscribe first, then read."""
        ...

    def head(self, tree: str) -> Place:
        """Where the tree's journal ends now; `BEGINNING` when it has none. Cheaper than interest in it."""
        ...

    def order(self, place: Place) -> int:
        """A number by which the places of one tree are sorted: the same for the same place, larger for a later one."""
        ...

    def distance(self, start: Place, end: Place) -> int:
        """About how many bytes of one tree's journal lie between two places; 0 if `end` is not behind `start`."""
        ...

    def poke(self, tree: str) -> None:
        """Wakes those who wait for the tree, because something else about it changed."""
        ...

    async def read(self, tree: str, after: Place, limit: int) -> Batch:
        """Whole records after a place, about `limit` bytes of them (at least one, if there is one)."""
        ...

    async def read_execution(self, tree: str, execution: str, after: Place, limit: int) -> Batch:
        """As `read`, but only one execution's records, found by their chain."""
        ...

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """The last output records of the execution whose last record starts there, oldest first, found by walking its
        chain back: of each stream (by number) about so many bytes."""
        ...

    async def check(self, tree: str, place: Place) -> bool:
        """Whether `place` is one of this journal (`BEGINNING` always is)."""
        ...
