"""The archive: seals finished journals, moves them to the blob store, opens them again, removes them.

A live file always wins over a sealed one of the same tree, and is removed only when the sealed one is durable and in
its place; a sealed one is removed only when the live one, or the object, is. So whatever moment a server is killed at,
every journal is whole in at least one place, and what is left over is known by its name.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from squall.adapters.journal import sealing
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.sources import LiveSource, SealedSource, Sources
from squall.core.errors import UnavailableError
from squall.core.ids import is_id
from squall.core.output import journal, sealed
from squall.ports import BLOB, FILE, LIVE, ROW, Blobs, Seal, SealRow, SealRows, Verdict

SMALL = 64 << 10
"""Journals of fewer bytes become rows."""

_NEW = ".sealing"
_OPENING = ".opening"
_LIVE, _LINES = ".journal", ".lines"

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
        self._root = root
        self._rows = rows
        self._sources = sources
        self._blobs = blobs
        self._moment = moment
        self._small = small
        self._open: set[str] = set()
        self._busy: dict[str, asyncio.Event] = {}
        self._made: dict[str, tuple[int, int]] = {}
        self._quiet: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")

    # -- who may touch a tree

    async def open(self, tree: str) -> None:
        """Keeps the tree from being sealed, and gives it its live file back."""
        self._open.add(tree)
        try:
            while (busy := self._busy.get(tree)) is not None:
                await busy.wait()
            if self._live(tree).exists() or self._sealed_place(tree) is None:
                return
            self._busy[tree] = done = asyncio.Event()
            try:
                # On a thread of its own: an action waits for it.
                await asyncio.to_thread(self._unseal, tree)
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
        found = await asyncio.get_running_loop().run_in_executor(self._thread, self._candidates, idle)
        return [tree for tree in found if tree not in self._open]

    def _candidates(self, idle: float) -> list[str]:
        before = time.time() - idle
        found: list[str] = []
        for folder in self._folders():
            # A folder in which nothing is live and nothing has been made since is not looked through again.
            changed = folder.stat().st_mtime_ns
            if self._quiet.get(folder.name) == changed:
                continue
            entries = list(os.scandir(folder))
            self._sweep(entries)
            live = [entry for entry in entries if entry.name.endswith(".journal")]
            if not live:
                self._quiet[folder.name] = changed
            for entry in live:
                with suppress(FileNotFoundError):
                    if is_id(tree := entry.name.removesuffix(".journal")) and entry.stat().st_mtime <= before:
                        found.append(tree)
        return found

    def _sweep(self, entries: Sequence[os.DirEntry[str]]) -> None:
        """Removes what was left half-written by an archive that was killed."""
        for entry in entries:
            if entry.name.endswith((_NEW, _OPENING)) and entry.name.partition(".")[0] not in self._busy:
                Path(entry.path).unlink(missing_ok=True)

    async def seal(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Seals, and leaves the live files in use."""
        return await self._alone(trees, self._seal)

    def _seal(self, trees: list[str]) -> dict[str, Seal]:
        made: dict[str, Seal] = {}
        rows: list[SealRow] = []
        for tree in trees:
            try:
                descriptor = os.open(self._live(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                source = LiveSource(descriptor)
                self._made[tree] = source.opened.committed, source.opened.closing
                if source.opened.committed < self._small:
                    parts: list[bytes] = []
                    done = sealing.seal(source, parts.append)
                    seal = Seal(ROW, done.size, done.stored, done.digest)
                    rows.append(SealRow(tree, seal, time.time_ns() // 1000, b"".join(parts)))
                else:
                    done = self._seal_file(tree, source)
                    seal = Seal(FILE, done.size, done.stored, done.digest)
            except journal.NotAJournalError:
                continue
            finally:
                os.close(descriptor)
            made[tree] = seal
        if rows:
            self._moment("rows made")
            self._rows.put(rows)
            self._moment("rows kept")
        return made

    def _seal_file(self, tree: str, source: LiveSource) -> sealing.Made:
        path = self._sealed(tree)
        with sealing.written(path.with_suffix(_NEW)) as (fresh, write):
            made = sealing.seal(source, write)
            self._moment("file written")
        fresh.replace(path)
        sealing.sync_folder(path.parent)
        self._moment("file in place")
        return made

    async def settle(self, trees: Sequence[str]) -> None:
        """Removes the live files."""
        await self._alone(trees, self._settle)

    def _settle(self, trees: list[str]) -> None:
        for tree in trees:
            sealed_at = self._made.pop(tree, None)
            path = self._live(tree)
            with suppress(FileNotFoundError, journal.NotAJournalError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    same = LiveSource(descriptor).commit() == sealed_at
                finally:
                    os.close(descriptor)
                if same:
                    self._moment("live removed")
                    path.unlink()
                    # Of an earlier sealing, which the late writer made larger or smaller than a row may be.
                    self._drop_other(tree)

    def _drop_other(self, tree: str) -> None:
        if self._sealed(tree).exists() and self._rows.get(tree) is not None:
            self._rows.delete([tree])

    # -- opening again

    def _unseal(self, tree: str) -> None:
        source = self._sources.open(tree)
        if not isinstance(source, SealedSource):
            if source is not None:
                source.close()
            return
        path = self._live(tree)
        try:
            with sealing.written(path.with_suffix(_OPENING)) as (fresh, write):
                sealing.unseal(source, write)
                self._moment("journal written")
            self._moment("journal opened")
            # Unlike a renaming, a link never replaces what is there.
            with suppress(FileExistsError):
                path.hardlink_to(fresh)
            fresh.unlink()
        finally:
            source.close()
        self._moment("sealed removed")
        # From here on the live file is the journal; it will be sealed again.
        self._remove_sealed([tree])

    # -- moving

    async def move(self, trees: Sequence[str]) -> Mapping[str, Seal]:
        """Moves sealed files to the blob store."""
        return await self._alone(trees, self._move)

    def _move(self, trees: list[str]) -> dict[str, Seal]:
        blobs = self._blobs()
        moved: dict[str, Seal] = {}
        for tree in trees if blobs is not None else ():
            path = self._sealed(tree)
            if self._live(tree).exists():
                continue
            if not path.exists():
                # A server that was killed has moved it.
                row = self._rows.get(tree)
                if row is not None and row.seal.place == BLOB:
                    moved[tree] = row.seal
                continue
            assert blobs is not None  # noqa: S101 - the loop has looked
            source = self._sources.open(tree)
            if not isinstance(source, SealedSource):
                continue
            try:
                container = source.container
                tail = container.read(container.index_at, container.size - container.index_at)
                seal = Seal(BLOB, container.head.size, container.size, source.digest)
            finally:
                source.close()
            key = sealed.file_name(tree)
            self._moment("object put")
            blobs.put(key, path)
            self._moment("object there")
            self._compare(blobs, key, path)
            self._rows.put([SealRow(tree, seal, time.time_ns() // 1000, tail)])
            self._moment("row of object kept")
            path.unlink()
            moved[tree] = seal
        return moved

    @staticmethod
    def _compare(blobs: Blobs, key: str, path: Path) -> None:
        """Reads an object back. Raises `OSError` when it is not what was put there."""
        with open(path, "rb") as file:
            at = 0
            while piece := file.read(4 << 20):
                if blobs.read(key, at, len(piece)) != piece:
                    raise OSError(f"{blobs.name} has other bytes of {key} than it was given; the file stays")
                at += len(piece)
        if blobs.size(key) != at:
            raise OSError(f"{blobs.name} has another length of {key} than it was given; the file stays")

    # -- removing

    async def remove(self, trees: Sequence[str]) -> Sequence[str]:
        """Removes everything there is of these trees."""
        return await self._alone(trees, self._remove)

    def _remove(self, trees: list[str]) -> list[str]:
        for tree in trees:
            self._made.pop(tree, None)
            stem = f"{self._root}/{tree[:5]}/{tree}"
            for suffix in (_LIVE, _LINES):
                _unlink(stem + suffix)
        self._moment("live purged")
        self._remove_sealed(trees)
        for folder in {self._live(tree).parent for tree in trees}:
            # A writer that needs the folder makes it again.
            with suppress(OSError):
                folder.rmdir()
                self._quiet.pop(folder.name, None)
        return trees

    def _remove_sealed(self, trees: list[str]) -> None:
        rows = self._rows.places(trees)
        far = [tree for tree, place in rows.items() if place == BLOB]
        blobs = self._blobs()
        if far and blobs is None:
            raise OSError("journals are in a blob store, and no blob store is set (storage.blobs)")
        if blobs is not None:
            # A move that was killed may have put an object for a file that still is here.
            far += [tree for tree in trees if self._sealed(tree).exists()]
            blobs.delete([sealed.file_name(tree) for tree in far])
            self._moment("objects purged")
        for tree in trees:
            _unlink(f"{self._root}/{sealed.file_name(tree)}")
        if rows:
            self._rows.delete(list(rows))

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
            return Verdict(tree, self._sealed_place(tree) or LIVE, 0, "", 0, (str(error),))
        except OSError as error:
            raise UnavailableError(f"The output cannot be read: {error}") from error

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """Journals and bytes of the live files; of the others the store knows."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._usage)

    def _usage(self) -> dict[str, tuple[int, int]]:
        found = {LIVE: (0, 0), FILE: (0, 0)}
        for folder in self._folders():
            for entry in os.scandir(folder):
                place = LIVE if entry.name.endswith(".journal") else FILE if entry.name.endswith(".sealed") else None
                if place is not None:
                    with suppress(FileNotFoundError):
                        count, size = found[place]
                        found[place] = count + 1, size + entry.stat().st_blocks * 512
        return found

    def close(self) -> None:
        """Ends after what is under way."""
        self._thread.shutdown()
        self._rows.close()

    def _folders(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from [Path(entry.path) for entry in os.scandir(self._root) if entry.is_dir(follow_symlinks=False)]

    def _live(self, tree: str) -> Path:
        return self._root / journal.file_name(tree)

    def _sealed(self, tree: str) -> Path:
        return self._root / sealed.file_name(tree)

    def _sealed_place(self, tree: str) -> str | None:
        if self._sealed(tree).exists():
            return FILE
        row = self._rows.get(tree)
        return row.seal.place if row is not None else None


def _unlink(path: str) -> None:
    """Removes a file that may not be there. A hundred thousand paths in plain text cost a tenth of what objects do."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - see above
