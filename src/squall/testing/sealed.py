"""A journal for the contract suites that is sealed before each read and opened again for each write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from squall.core.output.journal import Batch, Record, ServerRecord
from squall.ports import Archive, Journal, Launcher, Watch


class SealedJournal:
    """A `ports.Journal`, with `append` and `close_tree` of a `ports.Launcher`, over real ones. The launcher opens and
    releases its trees in the archive.

    Before each read, all written journals are sealed; with `far` they are moved as well.
    """

    def __init__(self, journal: Journal, launcher: Launcher, archive: Archive, *, far: bool = False) -> None:
        self._journal = journal
        self._launcher = launcher
        self._archive = archive
        self._far = far
        self._written: set[str] = set()
        self.sealed = 0

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records with the launcher."""
        self._written.add(tree)
        return await self._launcher.append(tree, records)

    async def close_tree(self, tree: str) -> None:
        """Closes the tree's journal with the launcher."""
        await self._launcher.close_tree(tree)

    async def _seal(self) -> None:
        trees, self._written = sorted(self._written), set()
        for tree in trees:
            await self._launcher.close_tree(tree)
        self.sealed += len(await self._archive.seal(trees))
        await self._archive.settle(trees)
        if self._far:
            await self._archive.move(trees)

    def watch(self, tree: str) -> AbstractContextManager[Watch]:
        """Watches a tree."""
        return self._journal.watch(tree)

    def head(self, tree: str) -> int:
        """Returns the head of the real journal."""
        return self._journal.head(tree)

    def order(self, place: int) -> int:
        """Returns the order of a place in the real journal."""
        return self._journal.order(place)

    def distance(self, start: int, end: int) -> int:
        """Returns the distance between two places in the real journal."""
        return self._journal.distance(start, end)

    def poke(self, tree: str) -> None:
        """Wakes the watches of the tree."""
        self._journal.poke(tree)

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Seals the journals and reads the tree."""
        await self._seal()
        return await self._journal.read(tree, after, limit)

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """Seals the journals and reads one execution."""
        await self._seal()
        return await self._journal.read_execution(tree, execution, after, limit)

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """Seals the journals and reads the last records."""
        await self._seal()
        return await self._journal.read_last(tree, last_record, limits)

    async def check(self, tree: str, place: int) -> bool:
        """Seals the journals and checks a place."""
        await self._seal()
        return await self._journal.check(tree, place)


class Moments:
    """A callback for moments: it calls `act` with the name of each, which may raise or kill, and records the names."""

    def __init__(self, act: Callable[[str], None] = lambda _name: None) -> None:
        self.seen: list[str] = []
        self.act = act

    def __call__(self, name: str) -> None:
        """Records one moment and calls `act`."""
        self.seen.append(name)
        self.act(name)
