"""The journals of a simulated machine, as its servers read them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.simulation.keeper import Keeper

from squall.core.output import journal as codec
from squall.core.output.journal import Batch, Record


class _Watch:
    """`ports.Watch` that never waits for long."""

    def __init__(self, journal: SimulatedJournal, tree: str) -> None:
        self._journal = journal
        self._tree = tree
        self.changes = 0

    @property
    def head(self) -> int:
        """The place behind the last record."""
        return self._journal.head(self._tree)

    async def beyond(self, place: int | None, timeout: float, seen: int | None = None) -> bool:
        """Waits `timeout` seconds, then looks."""
        if self.head <= (place or 0):
            await asyncio.sleep(timeout)
        return self.head > (place or 0)

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends the watch."""


class SimulatedJournal:
    """`ports.Journal` over the keeper's records."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def watch(self, tree: str) -> _Watch:
        """Watches a tree."""
        return _Watch(self, tree)

    def head(self, tree: str) -> int:
        """Returns the place at which the journal ends."""
        records = self._keeper.journals.get(tree)
        return records[-1].end if records else 0

    def order(self, place: int) -> int:
        """Returns the place: it orders places."""
        return place

    def distance(self, start: int, end: int) -> int:
        """Returns the bytes between two places."""
        return max(0, end - start)

    def poke(self, tree: str) -> None:
        """Wakes nobody: nobody waits."""

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Reads the records after a place."""
        records = [record for record in self._keeper.journals.get(tree, ()) if record.end > after]
        return Batch(records, records[-1].end if records else after)

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """Reads one execution's records after a place."""
        batch = await self.read(tree, after, limit)
        return Batch([record for record in batch.records if record.execution == execution], batch.position)

    async def read_last(self, tree: str, last_record: int, limits: Any) -> list[Record]:
        """Reads the output of the execution whose last record starts at `last_record`."""
        records = self._keeper.journals.get(tree, [])
        last = next((record for record in records if record.start == last_record), None)
        if last is None:
            return []
        return [
            record
            for record in records
            if record.execution == last.execution and record.kind == codec.OUTPUT and record.end <= last.end
        ]

    async def lost(self, tree: str, accounts: Any, size: int | None) -> Sequence[Any]:
        """Returns that nothing is lost."""
        return ()

    async def check(self, tree: str, place: int) -> bool:
        """Returns that every place is one."""
        return True
