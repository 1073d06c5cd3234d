"""Removes sealed journals, and all there is of trees."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from squall.adapters.journal.trees import Moment, Trees
from squall.core.output import sealed
from squall.ports import BLOB, Blobs

_LIVE, _LINES = ".journal", ".lines"


class Remover:
    """Removes from files, rows and the blob store. It blocks: call it on a thread."""

    def __init__(self, trees: Trees, blobs: Callable[[], Blobs | None], moment: Moment) -> None:
        self._trees = trees
        self._blobs = blobs
        self._moment = moment

    def remove(self, trees: Sequence[str]) -> list[Path]:
        """Removes everything there is of these trees; gives the folders that were removed with them. Raises `OSError`
        when the blob store cannot do it."""
        for tree in trees:
            stem = f"{self._trees.root}/{tree[:5]}/{tree}"
            for suffix in (_LIVE, _LINES):
                _unlink(stem + suffix)
        self._moment("live purged")
        self.remove_sealed(trees)
        gone: list[Path] = []
        for folder in {self._trees.live(tree).parent for tree in trees}:
            # A writer that needs the folder makes it again.
            with suppress(OSError):
                folder.rmdir()
                gone.append(folder)
        return gone

    def remove_sealed(self, trees: Sequence[str]) -> None:
        """Removes the sealed journals of these trees, wherever they are. Raises `OSError`."""
        rows = self._trees.rows.places(trees)
        far = [tree for tree, place in rows.items() if place == BLOB]
        blobs = self._blobs()
        if far and blobs is None:
            raise OSError("journals are in a blob store, and no blob store is set (storage.blobs)")
        if blobs is not None:
            # A move that was killed may have put an object for a file that still is here.
            far += [tree for tree in trees if self._trees.sealed(tree).exists()]
            blobs.delete([sealed.file_name(tree) for tree in far])
            self._moment("objects purged")
        for tree in trees:
            _unlink(f"{self._trees.root}/{sealed.file_name(tree)}")
        if rows:
            self._trees.rows.delete(list(rows))


def _unlink(path: str) -> None:
    """Removes a file that may not be there. A hundred thousand paths in plain text cost a tenth of what objects do."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - see above
