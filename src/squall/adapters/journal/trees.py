"""Where the journals of trees lie: live and sealed files below one folder, rows of the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from squall.core.output import journal, sealed
from squall.ports import FILE, LIVE, SealRows

Moment = Callable[[str], None]
"""Is told the name of each moment at which a kill would be worst."""


class Trees:
    """The places of journals below `root`, and `rows`, the store's part."""

    def __init__(self, root: Path, rows: SealRows) -> None:
        self.root = root
        self.rows = rows

    def folders(self) -> Iterator[Path]:
        """Yields the folders that hold journals."""
        with suppress(FileNotFoundError):
            yield from [Path(entry.path) for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False)]

    def live(self, tree: str) -> Path:
        """The live file, which may not be there."""
        return self.root / journal.file_name(tree)

    def sealed(self, tree: str) -> Path:
        """The sealed file, which may not be there."""
        return self.root / sealed.file_name(tree)

    def sealed_place(self, tree: str) -> str | None:
        """Where the sealed journal is; None if there is none."""
        if self.sealed(tree).exists():
            return FILE
        row = self.rows.get(tree)
        return row.seal.place if row is not None else None

    def usage(self) -> dict[str, tuple[int, int]]:
        """How many journals, and bytes on the disk, the live and the sealed files are."""
        found = {LIVE: (0, 0), FILE: (0, 0)}
        for folder in self.folders():
            for entry in os.scandir(folder):
                place = LIVE if entry.name.endswith(".journal") else FILE if entry.name.endswith(".sealed") else None
                if place is not None:
                    with suppress(FileNotFoundError):
                        count, size = found[place]
                        found[place] = count + 1, size + entry.stat().st_blocks * 512
        return found
