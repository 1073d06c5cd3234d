"""The journal: the output of executions, by place. Only the adapter knows the meaning of a place's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from squall.core.output.accounts import Account, Loss
from squall.core.output.journal import Batch, Record
from squall.core.output.places import Place


class Watch(Protocol):
    """A reader's watch on one tree's journal."""

    @property
    def head(self) -> Place:
        """The place behind the last known record; `BEGINNING` while there is no journal."""
        ...

    @property
    def changes(self) -> int:
        """The number of pokes of the tree. A reader that checks other data takes this number first and passes it to
        `beyond`: so it misses no poke in between."""
        ...

    async def beyond(self, place: Place | None, timeout: float, seen: int | None = None) -> bool:
        """Waits for a record after `place` (None: for none), for a poke, or `timeout` seconds. Returns true if there is
        a record after `place`.

        Does not wait if `changes` is no longer `seen`.
        """
        ...


class Journal(Protocol):
    """The only access to the output of executions."""

    def watch(self, tree: str) -> AbstractContextManager[Watch]:
        """Watches a tree. A reader must start its watch before its first read."""
        ...

    def head(self, tree: str) -> Place:
        """Returns the place at which the tree's journal ends now; `BEGINNING` if it has none. Cheaper than a watch."""
        ...

    def order(self, place: Place) -> int:
        """Returns a number that orders the places of one tree: larger for a later place."""
        ...

    def distance(self, start: Place, end: Place) -> int:
        """Returns the approximate number of bytes between two places of one tree's journal; 0 if `end` is not behind
        `start`."""
        ...

    def poke(self, tree: str) -> None:
        """Wakes the readers that wait for the tree, because other data of it changed."""
        ...

    async def read(self, tree: str, after: Place, limit: int) -> Batch:
        """Reads whole records after a place, about `limit` bytes of them (at least one record, if there is one)."""
        ...

    async def read_execution(self, tree: str, execution: str, after: Place, limit: int) -> Batch:
        """Reads as `read` does, but only one execution's records, along their chain."""
        ...

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """Reads the last output records of the execution whose last record starts at `last_record`, oldest first.
        Walks its chain back until it has about `limits` bytes of each stream (by number)."""
        ...

    async def lost(self, tree: str, accounts: Sequence[Account], size: int | None) -> Sequence[Loss]:
        """Returns the output of ended executions that the tree's journal does not hold, although `accounts` say that
        it was there. `size` is the length of the sealed journal in bytes (None: it is not sealed)."""
        ...

    async def check(self, tree: str, place: Place) -> bool:
        """Checks whether `place` is a place in this journal (`BEGINNING` always is)."""
        ...
