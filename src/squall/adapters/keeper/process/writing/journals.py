"""The open journals of a keeper: the first record opens one, a timer flushes it, and the end of its tree closes it.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from squall.adapters.durable import make_folder
from squall.adapters.keeper.process.writing.writer import DiskFullError, TreeWriter
from squall.core.output import journal
from squall.core.output.journal import ServerRecord

_CHECK_EVERY = 16 << 20


class Journals:
    """The writers of journals in one folder, by tree. `floor` is the free space in bytes that output must leave."""

    def __init__(self, root: Path, boot: bytes, incarnation: int, floor: int) -> None:
        self._root = root
        self._boot = boot
        self._incarnation = incarnation
        self._floor = floor
        self._open: dict[str, TreeWriter] = {}
        self._dirty: dict[str, TreeWriter] = {}
        self._unchecked = _CHECK_EVERY

    def writer(self, tree: str, create: bool) -> TreeWriter | None:
        """Returns the tree's writer, and opens it if necessary. Returns None if the tree has no journal and `create` is
        false. Raises `OSError`."""
        writer = self._open.get(tree)
        if writer is None:
            path = self._root / journal.file_name(tree)
            if path.exists():
                try:
                    writer = TreeWriter.reopen(path, self._incarnation, self._boot)
                except journal.NotAJournalError:
                    # No reader can use the file. Without it, the tree's later records have a place.
                    path.replace(path.with_suffix(journal.DAMAGED))
            if writer is None and not create:
                return None
            if writer is None:
                writer = TreeWriter.create(path, tree, self._boot, self._incarnation)
            self._open[tree] = writer
        self._dirty[tree] = writer
        return writer

    def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records of the server in their order. Returns True if the tree has a journal afterwards. Raises
        `OSError`."""
        writer = None
        for record in records:
            writer = self.writer(tree, record.create)
            if writer is not None:
                writer.note(record.kind, record.execution, record.time, record.event, record.payload)
        return writer is not None

    def trees(self) -> list[str]:
        """Returns the trees with an open journal."""
        return list(self._open)

    def reserve(self, count: int) -> None:
        """Checks that `count` bytes of output may be written. Raises `DiskFullError` at the free-space floor."""
        self._unchecked += count
        if self._unchecked < _CHECK_EVERY:
            return
        # A result may come before the first journal.
        make_folder(self._root)
        space = os.statvfs(self._root)
        if space.f_bavail * space.f_frsize < self._floor + count:
            raise DiskFullError(28, "the free-space floor is reached")
        self._unchecked = 0

    def take_dirty(self) -> list[TreeWriter]:
        """Returns the writers that were used since the last call."""
        dirty = list(self._dirty.values())
        self._dirty.clear()
        return dirty

    def put_back(self, writer: TreeWriter) -> None:
        """Notes that a writer was not flushed after `take_dirty`. Does nothing if its journal is closed."""
        self._dirty.update({tree: each for tree, each in self._open.items() if each is writer})

    def take_dirty_of(self, tree: str) -> TreeWriter | None:
        """Returns the writer of a tree if it was used since the last call of this or `take_dirty`."""
        return self._dirty.pop(tree, None)

    def close(self, tree: str, time: int) -> None:
        """Closes the journal of a tree that gets no more records. `time` is in µs. Does nothing if it is not open."""
        self._dirty.pop(tree, None)
        if (writer := self._open.pop(tree, None)) is not None:
            try:
                writer.close(tree, time)
            except OSError:
                # A journal without its closing index is readable, but readers must scan it.
                writer.abandon()

    def close_all(self) -> None:
        """Flushes and closes every file without a closing index. Nobody waits for what cannot be flushed."""
        self._dirty.clear()
        for writer in self._open.values():
            with contextlib.suppress(OSError):
                writer.renew()
                writer.flush()
            writer.abandon()
        self._open.clear()
