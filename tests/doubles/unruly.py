"""Journals that behave badly: within what the port allows, to see that readers bear it; and beyond, to see that the
contract suite finds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from squall.core.output.accounts import Account, Loss
from squall.core.output.journal import Batch, Record
from squall.ports import Journal, Watch

Fault = Callable[[list[Record], int], tuple[list[Record], int]]
"""What becomes of the records of a batch, and of its position."""


class _DeafWatch:
    """`ports.Watch` that never hears of anything: who waits looks by itself, now and then."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    @property
    def head(self) -> int:
        """As it is."""
        return self._watch.head

    @property
    def changes(self) -> int:
        """As it is."""
        return self._watch.changes

    async def beyond(self, place: int | None, timeout: float, seen: int | None = None) -> bool:
        """Looks again and again, and is awake at times when nothing has come."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        seen = self._watch.changes if seen is None else seen
        while True:
            if await self._watch.beyond(place, min(0.005, max(0.0, deadline - loop.time())), seen):
                return True
            if loop.time() >= deadline or seen != self._watch.changes:
                return False
            await asyncio.sleep(0)


class UnrulyJournal:
    """`ports.Journal` as bad as may be: batches are cut short at random, reads take turns, and no hint arrives."""

    def __init__(self, journal: Journal, seed: int = 1) -> None:
        self._journal = journal
        self._random = Random(seed)

    @contextmanager
    def watch(self, tree: str) -> Iterator[Watch]:
        """Interest that hears nothing."""
        with self._journal.watch(tree) as watch:
            yield _DeafWatch(watch)

    def head(self, tree: str) -> int:
        """As it is."""
        return self._journal.head(tree)

    def order(self, place: int) -> int:
        """As it is."""
        return self._journal.order(place)

    def distance(self, start: int, end: int) -> int:
        """As it is."""
        return self._journal.distance(start, end)

    def poke(self, tree: str) -> None:
        """Passes it on."""
        self._journal.poke(tree)

    async def _cut(self, batch: Batch, limit: int) -> Batch:
        for _ in range(self._random.randrange(3)):
            await asyncio.sleep(0)
        # What is all there is may not be cut.
        if len(batch.records) < 2 or batch.position - batch.records[0].start < limit:
            return batch
        kept = batch.records[: self._random.randint(max(1, len(batch.records) * 3 // 4), len(batch.records))]
        return batch if len(kept) == len(batch.records) else Batch(kept, kept[-1].end)

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Fewer records than there are."""
        return await self._cut(await self._journal.read(tree, after, limit), limit)

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """Fewer records than there are."""
        return await self._cut(await self._journal.read_execution(tree, execution, after, limit), limit)

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """As it is."""
        return await self._journal.read_last(tree, last_record, limits)

    async def lost(self, tree: str, accounts: Sequence[Account], size: int | None) -> Sequence[Loss]:
        """As it is."""
        return await self._journal.lost(tree, accounts, size)

    async def check(self, tree: str, place: int) -> bool:
        """As it is."""
        return await self._journal.check(tree, place)


class FaultyJournal(UnrulyJournal):
    """No journal: `fault` is done to what is read, and `checks` says what every position is."""

    def __init__(self, journal: Journal, fault: Fault, checks: bool | None = None) -> None:
        super().__init__(journal)
        self._fault = fault
        self._checks = checks

    async def _cut(self, batch: Batch, limit: int) -> Batch:
        return Batch(*self._fault(list(batch.records), batch.position))

    async def check(self, tree: str, place: int) -> bool:
        """The same answer for all, if there is one."""
        return await self._journal.check(tree, place) if self._checks is None else self._checks
