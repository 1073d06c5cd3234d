"""Seals finished journals soon after their end and moves them to the blob store later, in small batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from squall.core.execution.retention import DAY
from squall.ports import Archive, Clock, Launcher, Store

_BATCH = 128
_MOVED_AT_ONCE = 8
_MOVED_MOST = 1000


class Sealing:
    """Seals journals that ended `idle` seconds ago; moves journals sealed `move_after` days ago (None: never)."""

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
        """Seals all journals that are due. Returns their number. Raises `OSError`, `SquallError`."""
        await self._close_complete()
        count = 0
        due = await self._archive.candidates(self._idle)
        for at in range(0, len(due), _BATCH):
            batch = due[at : at + _BATCH]
            complete = await self._store.read(lambda tx, batch=batch: tx.journals.complete(batch))  # type: ignore[misc]
            count += await self.seal_these(complete)
            await asyncio.sleep(0)
        return count

    async def seal_these(self, trees: Sequence[str]) -> int:
        """Seals complete trees. Returns the number of sealed journals.

        Writes the sealed journal, then stores its hash, then removes the live journal. After a kill in between, the
        live journal stays in use and the next run repeats the work. When the live journal is gone for good, so are the
        rows that would repair it after a loss of power: a complete tree gets no more final statuses.
        """
        seals = await self._archive.seal(trees)
        if seals:
            now = self._clock.now()
            await self._store.tx(lambda tx: tx.journals.keep(seals, now))
            settled = await self._archive.settle(list(seals))
            await self._store.tx(lambda tx: tx.journals.synced(settled), durable=False)
        return len(seals)

    async def _close_complete(self) -> None:
        """Closes complete trees that a keeper still holds, because a server was killed before it closed them."""
        held = self._archive.held()
        for tree in await self._store.read(lambda tx: tx.journals.complete(held)) if held else ():
            await self._launcher.close_tree(tree)

    async def move(self) -> int:
        """Moves sealed journals that are old enough. Returns their number. Raises `OSError`, `SquallError`."""
        if self._move_after is None:
            return 0
        before = self._clock.now() - int(self._move_after * DAY)
        due = await self._store.read(lambda tx: tx.journals.movable(before, _MOVED_MOST))
        count = 0
        for at in range(0, len(due), _MOVED_AT_ONCE):
            seals = await self._archive.move(due[at : at + _MOVED_AT_ONCE])
            now = self._clock.now()
            await self._store.tx(lambda tx, seals=seals, now=now: tx.journals.keep(seals, now))  # type: ignore[misc]
            count += len(seals)
        return count
