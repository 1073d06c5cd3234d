"""Objects as files below a directory: on another disk, on a network mount, or in place of a remote store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from squall.adapters import durable

_NEW = ".putting"
_PIECE = 1 << 20


class DirectoryBlobs:
    """`ports.Blobs` below `root`. The first object creates the directory (mode 0700)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        """The path of the directory."""
        return str(self._root)

    def put(self, key: str, path: Path) -> None:
        """Copies the file. The copy gets its name only after it is complete and durable."""
        target = self._root / key
        durable.make_folder(target.parent)
        temporary = target.with_name(target.name + _NEW)
        with open(path, "rb") as source, durable.writing(target, temporary=temporary) as put:
            while piece := source.read(_PIECE):
                put(piece)

    def read(self, key: str, at: int, length: int) -> bytes:
        """Returns `length` bytes of an object from offset `at` on."""
        descriptor = os.open(self._root / key, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, at)
        finally:
            os.close(descriptor)

    def size(self, key: str) -> int:
        """Returns the length of an object in bytes."""
        return (self._root / key).stat().st_size

    def delete(self, keys: Sequence[str]) -> None:
        """Deletes objects, and the folders that become empty."""
        for key in keys:
            target = self._root / key
            target.unlink(missing_ok=True)
            target.with_name(target.name + _NEW).unlink(missing_ok=True)
            if target.parent != self._root and target.parent.is_dir() and not any(target.parent.iterdir()):
                target.parent.rmdir()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yields the keys that begin with `prefix`, in order."""
        for path in sorted(self._root.rglob("*")):
            key = path.relative_to(self._root).as_posix()
            if path.is_file() and key.startswith(prefix) and not key.endswith(_NEW):
                yield key
