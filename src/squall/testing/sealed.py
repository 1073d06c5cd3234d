"""A journal that is sealed whenever it is read, and opened again whenever it is written: for the contract suites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from squall.core.output.journal import Batch, Record, ServerRecord
from squall.ports import Archive, Journal, Launcher, Watch


class SealedJournal:
    """`ports.Journal` and the `append` and `close_tree` of a `ports.Launcher`, over real ones: the launcher opens and
    releases its trees in the archive.

    Between a write and the next read every journal that was written is sealed; with `far` it is moved as well.
    """

    def __init__(self, journal: Journal, launcher: Launcher, archive: Archive, *, far: bool = False) -> None:
        self._journal = journal
        self._launcher = launcher
        self._archive = archive
        self._far = far
        self._written: set[str] = set()
        self.sealed = 0

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends."""
        self._written.add(tree)
        return await self._launcher.append(tree, records)

    async def close_tree(self, tree: str) -> None:
        """Closes the journal."""
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
        """Interest in a tree."""
        return self._journal.watch(tree)

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
        """Wakes those who wait for the tree."""
        self._journal.poke(tree)

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Seals and reads."""
        await self._seal()
        return await self._journal.read(tree, after, limit)

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """Seals and reads."""
        await self._seal()
        return await self._journal.read_execution(tree, execution, after, limit)

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """Seals and reads."""
        await self._seal()
        return await self._journal.read_last(tree, last_record, limits)

    async def check(self, tree: str, place: int) -> bool:
        """Seals and looks."""
        await self._seal()
        return await self._journal.check(tree, place)


class Moments:
    """Says the names of moments to `act`, which may raise or kill, and keeps them in order."""

    def __init__(self, act: Callable[[str], None] = lambda _name: None) -> None:
        self.seen: list[str] = []
        self.act = act

    def __call__(self, name: str) -> None:
        """One moment."""
        self.seen.append(name)
        self.act(name)
