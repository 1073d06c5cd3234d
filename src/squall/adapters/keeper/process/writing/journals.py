"""The journals being written: opened when the first byte comes, flushed on a timer, closed when their tree is done.

Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from squall.adapters.keeper.process.writing.writer import DiskFullError, TreeWriter
from squall.core.output import journal
from squall.core.output.journal import ServerRecord

_CHECK_EVERY = 16 << 20


class Journals:
    """Writers by tree, below one folder. `floor` is the free space in bytes that output must leave on the disk."""

    def __init__(self, root: Path, boot: bytes, incarnation: int, floor: int) -> None:
        self._root = root
        self._boot = boot
        self._incarnation = incarnation
        self._floor = floor
        self._open: dict[str, TreeWriter] = {}
        self._dirty: dict[str, TreeWriter] = {}
        self._unchecked = _CHECK_EVERY

    def writer(self, tree: str, create: bool) -> TreeWriter | None:
        """The tree's writer, opened if need be; None if it has no journal and `create` is false. Raises `OSError`."""
        found = self._open.get(tree)
        if found is None:
            path = self._root / journal.file_name(tree)
            if path.exists():
                try:
                    found = TreeWriter.reopen(path, self._incarnation, self._boot)
                except journal.NotAJournalError:
                    # Nobody can read it any more. It is set aside, so that the tree's later records have a place.
                    path.replace(path.with_suffix(journal.SET_ASIDE))
            if found is None and not create:
                return None
            if found is None:
                found = TreeWriter.create(path, tree, self._boot, self._incarnation)
            self._open[tree] = found
        self._dirty[tree] = found
        return found

    def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records of the server's in their order. Returns whether the tree has a journal then. Raises
        `OSError`."""
        writer = None
        for record in records:
            writer = self.writer(tree, record.create)
            if writer is not None:
                writer.note(record.kind, record.execution, record.time, record.event, record.payload)
        return writer is not None

    def trees(self) -> list[str]:
        """The trees whose journal is open here."""
        return list(self._open)

    def reserve(self, count: int) -> None:
        """Makes sure that `count` bytes of output may be written. Raises `DiskFullError` at the free-space floor."""
        self._unchecked += count
        if self._unchecked < _CHECK_EVERY:
            return
        # A result may come before the first journal.
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        space = os.statvfs(self._root)
        if space.f_bavail * space.f_frsize < self._floor + count:
            raise DiskFullError(28, "the free-space floor is reached")
        self._unchecked = 0

    def take_dirty(self) -> list[TreeWriter]:
        """The writers with something to flush since the last call."""
        dirty = list(self._dirty.values())
        self._dirty.clear()
        return dirty

    def take_dirty_of(self, tree: str) -> TreeWriter | None:
        """One tree's writer, if it has something to flush."""
        return self._dirty.pop(tree, None)

    def close(self, tree: str, time: int) -> None:
        """No more records will come for `tree`; does nothing if it has no open journal."""
        self._dirty.pop(tree, None)
        if (writer := self._open.pop(tree, None)) is not None:
            try:
                writer.close(tree, time)
            except DiskFullError:
                # Without its closing index a journal is read by scanning: slower, not wrong.
                writer.abandon()

    def close_all(self) -> None:
        """Closes every file as it is."""
        self._dirty.clear()
        for writer in self._open.values():
            writer.flush()
            writer.abandon()
        self._open.clear()
