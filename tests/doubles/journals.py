"""Journals and their archive in a folder of their own, for the suites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from squall.adapters.blobs.directory import DirectoryBlobs
from squall.adapters.journal.archive import SMALL, FileArchive
from squall.adapters.journal.files import FileJournal
from squall.adapters.journal.sources import Sources
from squall.adapters.sql.output.seals import SqliteSeals


class Kept:
    """The journals below `folder`: `sources` to read, `archive` to keep them, `rows` and `blobs` where they go."""

    def __init__(self, folder: Path, moment: Callable[[str], None] = lambda _name: None, small: int = SMALL) -> None:
        self.root = folder / "journals"
        self.root.mkdir(exist_ok=True)
        self.rows = SqliteSeals(folder / "seals.db")
        self.blobs = DirectoryBlobs(folder / "blobs")
        self.sources = Sources(self.root, self.rows, lambda: self.blobs)
        self.archive = FileArchive(
            self.root, self.rows, self.sources, blobs=lambda: self.blobs, moment=moment, small=small
        )

    def journal(self) -> FileJournal:
        """A reader of them; make it on the event loop."""
        return FileJournal(self.root, self.sources)

    def close(self) -> None:
        """Ends."""
        self.archive.close()
