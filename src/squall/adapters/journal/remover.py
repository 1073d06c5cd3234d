"""Removes the journals of trees: live files, line indexes, and sealed journals."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from squall.adapters.journal.trees import Moment, Trees
from squall.core.output import journal, sealed
from squall.ports import BLOB, Blobs

_LIVE, _LINES, _DAMAGED = ".journal", ".lines", journal.DAMAGED


class Remover:
    """Removes files, rows and objects of the blob store. Every method blocks, so call it on a thread."""

    def __init__(self, trees: Trees, blobs: Callable[[], Blobs | None], moment: Moment) -> None:
        self._trees = trees
        self._blobs = blobs
        self._moment = moment

    def remove(self, trees: Sequence[str]) -> list[Path]:
        """Removes the live files, line indexes and sealed journals of these trees. Returns the folders that it removed
        with them. Raises `OSError` if the blob store fails."""
        for tree in trees:
            stem = f"{self._trees.root}/{tree[:5]}/{tree}"
            for suffix in (_LIVE, _LINES, _DAMAGED):
                _unlink(stem + suffix)
        self._moment("live purged")
        self.remove_sealed(trees)
        removed_folders: list[Path] = []
        for folder in {self._trees.live(tree).parent for tree in trees}:
            # A writer that needs the folder creates it again.
            with suppress(OSError):
                folder.rmdir()
                removed_folders.append(folder)
        return removed_folders

    def remove_sealed(self, trees: Sequence[str]) -> None:
        """Removes the sealed journals of these trees from files, rows and the blob store. Raises `OSError`."""
        places = self._trees.rows.places(trees)
        object_trees = [tree for tree, place in places.items() if place == BLOB]
        blobs = self._blobs()
        if object_trees and blobs is None:
            raise OSError("journals are in a blob store, but no blob store is configured: set storage.blobs")
        if blobs is not None:
            # A move that was killed may have stored an object although the file is still here.
            object_trees += [tree for tree in trees if self._trees.sealed(tree).exists()]
            blobs.delete([sealed.file_name(tree) for tree in object_trees])
            self._moment("objects purged")
        for tree in trees:
            _unlink(f"{self._trees.root}/{sealed.file_name(tree)}")
        if places:
            self._trees.rows.delete(list(places))


def _unlink(path: str) -> None:
    """Removes a file if it exists. For a hundred thousand files, text paths cost a tenth of what `Path` objects do."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - see above
