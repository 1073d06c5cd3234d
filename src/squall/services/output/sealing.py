"""Finished output: sealed soon after its end, moved to the blob store later. Always in small batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from squall.core.execution.retention import DAY
from squall.ports import Archive, Clock, Launcher, Store

_BATCH = 128
_MOVED_AT_ONCE = 8
_MOVED_MOST = 1000


class Sealing:
    """Seals what has been finished for `idle` seconds, moves what was sealed `move_after` days ago (None: nothing)."""

    def __init__(
        self, store: Store, archive: Archive, launcher: Launcher, clock: Clock, *, idle: float, move_after: float | None
    ) -> None:
        self._store = store
        self._archive = archive
        self._launcher = launcher
        self._clock = clock
        self._idle = idle
        self._move_after = move_after

    async def seal(self) -> int:
        """Seals everything that is due; gives how many journals that were. Raises `OSError`, `SquallError`."""
        await self._let_go()
        count = 0
        due = await self._archive.candidates(self._idle)
        for at in range(0, len(due), _BATCH):
            some = due[at : at + _BATCH]
            complete = await self._store.read(lambda tx, some=some: tx.journals.complete(some))  # type: ignore[misc]
            count += await self.seal_these(complete)
            await asyncio.sleep(0)
        return count

    async def seal_these(self, trees: Sequence[str]) -> int:
        """Seals complete trees: first the sealed journal is there, then the database has its hash, then the live
        journal goes. A kill in between leaves the live one in use, and the next run does it again."""
        seals = await self._archive.seal(trees)
        if seals:
            now = self._clock.now()
            await self._store.tx(lambda tx: tx.journals.keep(seals, now))
            await self._archive.settle(list(seals))
        return len(seals)

    async def _let_go(self) -> None:
        """Closes finished trees that a keeper still holds: a server was killed before it said that they are."""
        held = self._archive.held()
        for tree in await self._store.read(lambda tx: tx.journals.complete(held)) if held else ():
            await self._launcher.close_tree(tree)

    async def move(self) -> int:
        """Moves what is old enough; gives how many journals that were. Raises `OSError`, `SquallError`."""
        if self._move_after is None:
            return 0
        before = self._clock.now() - int(self._move_after * DAY)
        due = await self._store.read(lambda tx: tx.journals.movable(before, _MOVED_MOST))
        count = 0
        for at in range(0, len(due), _MOVED_AT_ONCE):
            moved = await self._archive.move(due[at : at + _MOVED_AT_ONCE])
            now = self._clock.now()
            await self._store.tx(lambda tx, seals=moved, now=now: tx.journals.keep(seals, now))  # type: ignore[misc]
            count += len(moved)
        return count
