"""Moves sealed files to the blob store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from squall.adapters.journal.sources import SealedSource, Sources
from squall.adapters.journal.trees import Moment, Trees
from squall.core.output import sealed
from squall.ports import BLOB, Blobs, Seal, SealRow


class Mover:
    """Moves files to the blob store that `blobs` returns; None means that none is configured. `move` blocks, so call it
    on a thread."""

    def __init__(self, trees: Trees, sources: Sources, blobs: Callable[[], Blobs | None], moment: Moment) -> None:
        self._trees = trees
        self._sources = sources
        self._blobs = blobs
        self._moment = moment

    def move(self, trees: Sequence[str]) -> dict[str, Seal]:
        """Moves the sealed files of these trees. Returns the seals of the moved journals. Raises `OSError`."""
        blobs = self._blobs()
        moved: dict[str, Seal] = {}
        for tree in trees if blobs is not None else ():
            path = self._trees.sealed(tree)
            if self._trees.live(tree).exists():
                continue
            if not path.exists():
                # A server that was killed later has already moved it.
                row = self._trees.rows.get(tree)
                if row is not None and row.seal.place == BLOB:
                    moved[tree] = row.seal
                continue
            assert blobs is not None  # noqa: S101 - the loop has no items otherwise
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
            self._trees.rows.put([SealRow(tree, seal, time.time_ns() // 1000, tail)])
            self._moment("row of object kept")
            path.unlink()
            moved[tree] = seal
        return moved

    @staticmethod
    def _compare(blobs: Blobs, key: str, path: Path) -> None:
        """Reads an object back. Raises `OSError` if its bytes or its length differ from the file."""
        with open(path, "rb") as file:
            at = 0
            while piece := file.read(4 << 20):
                if blobs.read(key, at, len(piece)) != piece:
                    raise OSError(f"{blobs.name} returned other bytes of {key} than were stored; the file stays")
                at += len(piece)
        if blobs.size(key) != at:
            raise OSError(f"{blobs.name} reports another length of {key} than was stored; the file stays")
