"""The places of journals: live and sealed files below one folder, and rows of the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from squall.core.output import journal, sealed
from squall.ports import FILE, LIVE, SealRows

Moment = Callable[[str], None]
"""A function that receives the name of each point where fault tests kill the process."""


class Trees:
    """The places of journals: files below `root`, and the store's `rows`."""

    def __init__(self, root: Path, rows: SealRows) -> None:
        self.root = root
        self.rows = rows

    def folders(self) -> Iterator[Path]:
        """Yields the folders that hold journals."""
        with suppress(FileNotFoundError):
            yield from [Path(entry.path) for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False)]

    def live(self, tree: str) -> Path:
        """Returns the path of the live file, which need not exist."""
        return self.root / journal.file_name(tree)

    def sealed(self, tree: str) -> Path:
        """Returns the path of the sealed file, which need not exist."""
        return self.root / sealed.file_name(tree)

    def sealed_place(self, tree: str) -> str | None:
        """Returns the place of the sealed journal (`FILE`, `ROW` or `BLOB`); None if there is none."""
        if self.sealed(tree).exists():
            return FILE
        row = self.rows.get(tree)
        return row.seal.place if row is not None else None

    def usage(self) -> dict[str, tuple[int, int]]:
        """Returns the number of journals and their bytes on the disk, for live and for sealed files."""
        usage = {LIVE: (0, 0), FILE: (0, 0)}
        for folder in self.folders():
            for entry in os.scandir(folder):
                place = LIVE if entry.name.endswith(".journal") else FILE if entry.name.endswith(".sealed") else None
                if place is not None:
                    with suppress(FileNotFoundError):
                        count, size = usage[place]
                        usage[place] = count + 1, size + entry.stat().st_blocks * 512
        return usage
