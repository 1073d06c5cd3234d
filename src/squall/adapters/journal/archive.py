"""The archive: seals finished journals, moves them to the blob store, opens them again, removes them.

Readers prefer a live file to a sealed one of the same tree. The archive removes a live file only after the sealed one
is durable and in its place. It removes a sealed file only after the live file, or the object, is durable. So every
journal is whole in at least one place whenever a kill stops the server, and unfinished files are known by their names.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from squall.adapters.journal.checking import examining
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.mover import Mover
from squall.adapters.journal.remover import Remover
from squall.adapters.journal.sealer import Sealer
from squall.adapters.journal.sources import Sources
from squall.adapters.journal.trees import Trees
from squall.core.errors import UnavailableError
from squall.core.output.accounts import Account, losses
from squall.ports import LIVE, Blobs, Seal, SealRows, Verdict

SMALL = 64 << 10
"""The size limit in bytes: the archive stores smaller journals as database rows."""

T = TypeVar("T")


def _ignore(_moment: str) -> None:
    """Ignores the name of a moment: only fault tests kill the server."""


class FileArchive:
    """`ports.Archive` for the files below `root`. `blobs` returns the blob store, or None if none is configured.
    The archive calls `moment(name)` at the points where fault tests kill the process. Journals of fewer than `small`
    bytes become rows."""

    def __init__(
        self,
        root: Path,
        rows: SealRows,
        sources: Sources,
        *,
        blobs: Callable[[], Blobs | None] = lambda: None,
        moment: Callable[[str], None] = _ignore,
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

    # -- access to trees

    async def open(self, tree: str) -> None:
        """Protects the tree from sealing, and restores its live file."""
        self._open.add(tree)
        try:
            while (busy := self._busy.get(tree)) is not None:
                await busy.wait()
            if self._trees.live(tree).exists() or self._trees.sealed_place(tree) is None:
                return
            self._busy[tree] = idle = asyncio.Event()
            try:
                # An action waits for this, so it does not queue on the archive's thread.
                await asyncio.to_thread(self._sealer.unseal, tree)
            finally:
                del self._busy[tree]
                idle.set()
        except BaseException:
            self._open.discard(tree)
            raise

    def release(self, tree: str) -> None:
        """Allows sealing of the tree again."""
        self._open.discard(tree)

    def held(self) -> Sequence[str]:
        """Returns the trees that are open."""
        return list(self._open)

    async def _run_exclusive(self, trees: Sequence[str], work: Callable[[list[str]], T]) -> T:
        """Runs `work` on the archive's thread with the trees that are neither open nor busy. `open` waits for them
        until `work` is done."""
        own_trees = [tree for tree in dict.fromkeys(trees) if tree not in self._open and tree not in self._busy]
        idle = asyncio.Event()
        self._busy.update(dict.fromkeys(own_trees, idle))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, own_trees)
        finally:
            for tree in own_trees:
                del self._busy[tree]
            idle.set()

    # -- sealing

    async def candidates(self, idle: float) -> Sequence[str]:
        """Returns the trees whose live journal has not changed for `idle` seconds and which are not open."""
        trees = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._sealer.candidates, idle, self._busy.__contains__
        )
        return [tree for tree in trees if tree not in self._open]

    async def seal(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Seals the journals of these trees. The live files stay in use until `settle`."""
        return await self._run_exclusive(trees, self._sealer.seal)

    async def settle(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes the live files of sealed journals, unless they have grown. Returns the trees without one."""
        return await self._run_exclusive(trees, self._sealer.settle)

    # -- moving

    async def move(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Moves the sealed files of these trees to the blob store."""
        return await self._run_exclusive(trees, self._mover.move)

    # -- removing

    async def remove(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes the journals and line indexes of these trees from every place."""
        return await self._run_exclusive(trees, self._remove)

    def _remove(self, trees: list[str]) -> list[str]:
        self._sealer.forget(trees, self._remover.remove(trees))
        return trees

    # -- checks and sizes

    async def verify(self, tree: str, accounts: Sequence[Account] = (), rate: float | None = None) -> Verdict | None:
        """Reads every byte of the tree's journal, `rate` bytes a second (None: as fast as it can), and compares it with
        what is known of its output. Returns None if there is no journal."""
        stop = threading.Event()

        def pace(count: int) -> None:
            # A caller that does not wait any more must not keep the thread.
            if stop.wait(count / rate if rate is not None else 0):
                raise OSError(errno.ECANCELED, "nobody waits for the check of the journal")

        try:
            return await asyncio.to_thread(self._verify, tree, accounts, pace)
        finally:
            stop.set()

    def _verify(self, tree: str, accounts: Sequence[Account], pace: examining.Pace) -> Verdict | None:
        closed = tree not in self._open
        try:
            source = self._sources.open(tree)
            if source is None:
                return None
            try:
                return examining.examine(source, accounts, closed=closed, pace=pace)
            finally:
                source.close()
        except DamagedError as error:
            whole = [loss.text() for loss in losses(accounts, {})]
            place = LIVE if self._trees.live(tree).exists() else self._trees.sealed_place(tree) or LIVE
            return Verdict(tree, place, 0, "", 0, (str(error), *whole))
        except OSError as error:
            raise UnavailableError(f"The output cannot be read: {error}") from error

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """Returns the number of journals and their bytes on the disk, for live and sealed files. The store counts the
        rows and objects."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._trees.usage)

    def close(self) -> None:
        """Waits for the work in progress, then closes the store."""
        self._thread.shutdown()
        self._trees.rows.close()
