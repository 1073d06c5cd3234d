"""Seals finished journals, and opens them again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from squall.adapters.journal import sealing
from squall.adapters.journal.remover import Remover
from squall.adapters.journal.sources import LiveSource, SealedSource, Sources
from squall.adapters.journal.trees import Moment, Trees
from squall.core.ids import is_id
from squall.core.output import journal
from squall.ports import FILE, ROW, Seal, SealRow

_NEW = ".sealing"
_OPENING = ".opening"


class Sealer:
    """Journals of fewer than `small` bytes become rows, others files. It blocks: call it on a thread."""

    def __init__(self, trees: Trees, sources: Sources, remover: Remover, moment: Moment, small: int) -> None:
        self._trees = trees
        self._sources = sources
        self._remover = remover
        self._moment = moment
        self._small = small
        self._made: dict[str, tuple[int, int]] = {}
        self._quiet: dict[str, int] = {}

    def forget(self, trees: Sequence[str], folders: Sequence[Path]) -> None:
        """Trees and folders that have been removed."""
        for tree in trees:
            self._made.pop(tree, None)
        for folder in folders:
            self._quiet.pop(folder.name, None)

    def candidates(self, idle: float, is_busy: Callable[[str], bool]) -> list[str]:
        """Trees with a live journal that is `idle` seconds old. What an archive that was killed left half-written is
        removed, except of trees that are busy."""
        before = time.time() - idle
        found: list[str] = []
        for folder in self._trees.folders():
            # A folder in which nothing is live and nothing has been made since is not looked through again.
            changed = folder.stat().st_mtime_ns
            if self._quiet.get(folder.name) == changed:
                continue
            entries = list(os.scandir(folder))
            _sweep(entries, is_busy)
            live = [entry for entry in entries if entry.name.endswith(".journal")]
            if not live:
                self._quiet[folder.name] = changed
            for entry in live:
                with suppress(FileNotFoundError):
                    if is_id(tree := entry.name.removesuffix(".journal")) and entry.stat().st_mtime <= before:
                        found.append(tree)
        return found

    def seal(self, trees: Sequence[str]) -> dict[str, Seal]:
        """Seals, and leaves the live files in use. Raises `OSError`."""
        made: dict[str, Seal] = {}
        rows: list[SealRow] = []
        for tree in trees:
            try:
                descriptor = os.open(self._trees.live(tree), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
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
            self._trees.rows.put(rows)
            self._moment("rows kept")
        return made

    def _seal_file(self, tree: str, source: LiveSource) -> sealing.Made:
        path = self._trees.sealed(tree)
        with sealing.written(path.with_suffix(_NEW)) as (fresh, write):
            made = sealing.seal(source, write)
            self._moment("file written")
        fresh.replace(path)
        sealing.sync_folder(path.parent)
        self._moment("file in place")
        return made

    def settle(self, trees: Sequence[str]) -> None:
        """Removes the live files of what has been sealed, unless they have grown."""
        for tree in trees:
            sealed_at = self._made.pop(tree, None)
            path = self._trees.live(tree)
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
        if self._trees.sealed(tree).exists() and self._trees.rows.get(tree) is not None:
            self._trees.rows.delete([tree])

    def unseal(self, tree: str) -> None:
        """Makes a sealed journal live again. Raises `OSError`."""
        source = self._sources.open(tree)
        if not isinstance(source, SealedSource):
            if source is not None:
                source.close()
            return
        path = self._trees.live(tree)
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
        self._remover.remove_sealed([tree])


def _sweep(entries: Sequence[os.DirEntry[str]], is_busy: Callable[[str], bool]) -> None:
    for entry in entries:
        if entry.name.endswith((_NEW, _OPENING)) and not is_busy(entry.name.partition(".")[0]):
            Path(entry.path).unlink(missing_ok=True)
