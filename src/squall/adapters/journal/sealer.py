"""Seals finished journals, and opens them again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from squall.adapters import durable
from squall.adapters.journal import sealing
from squall.adapters.journal.live import LiveSource
from squall.adapters.journal.remover import Remover
from squall.adapters.journal.sources import SealedSource, Sources
from squall.adapters.journal.trees import Moment, Trees
from squall.core.ids import is_id
from squall.core.output import journal
from squall.ports import FILE, ROW, Seal, SealRow

_NEW = ".sealing"
_OPENING = ".opening"


class Sealer:
    """Seals journals: those of fewer than `small` bytes become rows, larger ones files. Every method blocks, so call
    it on a thread."""

    def __init__(self, trees: Trees, sources: Sources, remover: Remover, moment: Moment, small: int) -> None:
        self._trees = trees
        self._sources = sources
        self._remover = remover
        self._moment = moment
        self._small = small
        self._sealed_commits: dict[str, tuple[int, int]] = {}
        self._idle_folders: dict[str, int] = {}

    def forget(self, trees: Sequence[str], folders: Sequence[Path]) -> None:
        """Drops the state of trees and folders that have been removed."""
        for tree in trees:
            self._sealed_commits.pop(tree, None)
        for folder in folders:
            self._idle_folders.pop(folder.name, None)

    def candidates(self, idle: float, is_busy: Callable[[str], bool]) -> list[str]:
        """Returns the trees whose live journal has not changed for `idle` seconds. Removes the half-written files that
        a killed archive left behind, except those of busy trees."""
        before = time.time() - idle
        trees: list[str] = []
        for folder in self._trees.folders():
            # A folder without live journals is not read again until a new file changes its time.
            changed = folder.stat().st_mtime_ns
            if self._idle_folders.get(folder.name) == changed:
                continue
            entries = list(os.scandir(folder))
            _sweep(entries, is_busy)
            live = [entry for entry in entries if entry.name.endswith(".journal")]
            if not live:
                self._idle_folders[folder.name] = changed
            for entry in live:
                with suppress(FileNotFoundError):
                    if is_id(tree := entry.name.removesuffix(".journal")) and entry.stat().st_mtime <= before:
                        trees.append(tree)
        return trees

    def seal(self, trees: Sequence[str]) -> dict[str, Seal]:
        """Seals the journals of these trees, and leaves the live files in use. Raises `OSError`."""
        seals: dict[str, Seal] = {}
        rows: list[SealRow] = []
        for tree in trees:
            try:
                descriptor = os.open(self._trees.live(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                source = LiveSource(descriptor, tree)
                self._sealed_commits[tree] = source.opened.committed, source.opened.closing
                if source.opened.committed < self._small:
                    parts: list[bytes] = []
                    result = sealing.seal(source, parts.append)
                    seal = Seal(ROW, result.size, result.stored, result.digest)
                    rows.append(SealRow(tree, seal, time.time_ns() // 1000, b"".join(parts)))
                else:
                    result = self._seal_file(tree, source)
                    seal = Seal(FILE, result.size, result.stored, result.digest)
            except journal.NotAJournalError:
                continue
            finally:
                os.close(descriptor)
            seals[tree] = seal
        if rows:
            self._moment("rows made")
            self._trees.rows.put(rows)
            self._moment("rows kept")
        return seals

    def _seal_file(self, tree: str, source: LiveSource) -> sealing.SealResult:
        path = self._trees.sealed(tree)
        with durable.writing(path, temporary=path.with_suffix(_NEW)) as write:
            result = sealing.seal(source, write)
            self._moment("file written")
        self._moment("file in place")
        return result

    def settle(self, trees: Sequence[str]) -> list[str]:
        """Removes the live files of sealed journals, unless they have grown. Returns the trees without a live file, on
        the disk too. Raises `OSError`."""
        for tree in trees:
            sealed_at = self._sealed_commits.pop(tree, None)
            path = self._trees.live(tree)
            with suppress(FileNotFoundError, journal.NotAJournalError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    same = LiveSource(descriptor, tree).commit() == sealed_at
                finally:
                    os.close(descriptor)
                if same:
                    self._moment("live removed")
                    path.unlink()
                    # An earlier sealing may have left a row: the late writer's records made the journal too large for
                    # one.
                    self._drop_other(tree)
        settled = [tree for tree in trees if not self._trees.live(tree).exists()]
        for folder in sorted({self._trees.live(tree).parent for tree in settled}):
            # A live file that came back would win over the sealed one, and may lack the last records.
            with suppress(FileNotFoundError):
                durable.sync_folder(folder)
        return settled

    def _drop_other(self, tree: str) -> None:
        if self._trees.sealed(tree).exists() and self._trees.rows.get(tree) is not None:
            self._trees.rows.delete([tree])

    def unseal(self, tree: str) -> None:
        """Writes a sealed journal back as a live file, then removes the sealed one. Raises `OSError`."""
        source = self._sources.open(tree)
        if not isinstance(source, SealedSource):
            if source is not None:
                source.close()
            return
        path = self._trees.live(tree)
        try:
            durable.make_folder(path.parent)
            # A journal that another process has opened meanwhile stays.
            with (
                suppress(FileExistsError),
                durable.writing(path, temporary=path.with_suffix(_OPENING), replace=False) as write,
            ):
                sealing.unseal(source, write)
                self._moment("journal written")
            self._moment("journal opened")
        finally:
            source.close()
        self._moment("sealed removed")
        # The live file is the journal now; the archive seals it again later.
        self._remover.remove_sealed([tree])


def _sweep(entries: Sequence[os.DirEntry[str]], is_busy: Callable[[str], bool]) -> None:
    for entry in entries:
        if entry.name.endswith((_NEW, _OPENING)) and not is_busy(entry.name.partition(".")[0]):
            Path(entry.path).unlink(missing_ok=True)
