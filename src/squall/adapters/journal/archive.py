"""The archive: seals finished journals, moves them to the blob store, opens them again, removes them.

A live file always wins over a sealed one of the same tree, and is removed only when the sealed one is durable and in
its place; a sealed one is removed only when the live one, or the object, is. So whatever moment a server is killed at,
every journal is whole in at least one place, and what is left over is known by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from squall.adapters.journal import sealing
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.mover import Mover
from squall.adapters.journal.remover import Remover
from squall.adapters.journal.sealer import Sealer
from squall.adapters.journal.sources import Sources
from squall.adapters.journal.trees import Trees
from squall.core.errors import UnavailableError
from squall.ports import LIVE, Blobs, Seal, SealRows, Verdict

SMALL = 64 << 10
"""Journals of fewer bytes become rows."""


T = TypeVar("T")


def _nothing(_moment: str) -> None:
    """Where a server is not killed."""


class FileArchive:
    """`ports.Archive` on the files below `root`. `blobs` gives the blob store, if one is set; `moment` is told the name
    of each moment at which a kill would be worst; journals of fewer than `small` bytes become rows."""

    def __init__(
        self,
        root: Path,
        rows: SealRows,
        sources: Sources,
        *,
        blobs: Callable[[], Blobs | None] = lambda: None,
        moment: Callable[[str], None] = _nothing,
        small: int = SMALL,
    ) -> None:
        self._trees = Trees(root, rows)
        self._sources = sources
        self._remover = Remover(self._trees, blobs, moment)
        self._sealer = Sealer(self._trees, sources, self._remover, moment, small)
        self._mover = Mover(self._trees, sources, blobs, moment)
        self._open: set[str] = set()
        self._busy: dict[str, asyncio.Event] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")

    # -- who may touch a tree

    async def open(self, tree: str) -> None:
        """Keeps the tree from being sealed, and gives it its live file back."""
        self._open.add(tree)
        try:
            while (busy := self._busy.get(tree)) is not None:
                await busy.wait()
            if self._trees.live(tree).exists() or self._trees.sealed_place(tree) is None:
                return
            self._busy[tree] = done = asyncio.Event()
            try:
                # On a thread of its own: an action waits for it.
                await asyncio.to_thread(self._sealer.unseal, tree)
            finally:
                del self._busy[tree]
                done.set()
        except BaseException:
            self._open.discard(tree)
            raise

    def release(self, tree: str) -> None:
        """It may be sealed again."""
        self._open.discard(tree)

    def held(self) -> Sequence[str]:
        """What is open."""
        return list(self._open)

    async def _alone(self, trees: Sequence[str], work: Callable[[list[str]], T]) -> T:
        """Runs `work` on the archive's thread with those trees that nobody writes to or moves; none opens meanwhile."""
        mine = [tree for tree in dict.fromkeys(trees) if tree not in self._open and tree not in self._busy]
        done = asyncio.Event()
        self._busy.update(dict.fromkeys(mine, done))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, mine)
        finally:
            for tree in mine:
                del self._busy[tree]
            done.set()

    # -- sealing

    async def candidates(self, idle: float) -> Sequence[str]:
        """Trees with a live journal that is `idle` seconds old."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._sealer.candidates, idle, self._busy.__contains__
        )
        return [tree for tree in found if tree not in self._open]

    async def seal(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Seals, and leaves the live files in use."""
        return await self._alone(trees, self._sealer.seal)

    async def settle(self, trees: Sequence[str]) -> None:
        """Removes the live files."""
        await self._alone(trees, self._sealer.settle)

    # -- moving

    async def move(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Moves sealed files to the blob store."""
        return await self._alone(trees, self._mover.move)

    # -- removing

    async def remove(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes everything there is of these trees."""
        return await self._alone(trees, self._remove)

    def _remove(self, trees: list[str]) -> list[str]:
        self._sealer.forget(trees, self._remover.remove(trees))
        return trees

    # -- looking

    async def verify(self, tree: str) -> Verdict | None:
        """Reads every byte of a journal."""
        return await asyncio.to_thread(self._verify, tree)

    def _verify(self, tree: str) -> Verdict | None:
        try:
            source = self._sources.open(tree)
            if source is None:
                return None
            try:
                return sealing.examine(source)
            finally:
                source.close()
        except DamagedError as error:
            return Verdict(tree, self._trees.sealed_place(tree) or LIVE, 0, "", 0, (str(error),))
        except OSError as error:
            raise UnavailableError(f"The output cannot be read: {error}") from error

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """Journals and bytes of the live files; of the others the store knows."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._trees.usage)

    def close(self) -> None:
        """Ends after what is under way."""
        self._thread.shutdown()
        self._trees.rows.close()
