"""A cache for texts of files that are read often and seldom change."""

from __future__ import annotations

import os
import time
from pathlib import Path

from squall.adapters import reading

_MOST, _LARGEST = 256, 64 << 10
_SETTLED_NS = 2_000_000_000


class Texts:
    """A cache of small texts. An entry is valid until its file changes."""

    def __init__(self) -> None:
        self._cache: dict[str, tuple[tuple[int, ...], str]] = {}

    def read(self, path: str) -> str:
        """Returns the current text of a file. Raises `OSError`, and `UnicodeDecodeError` if it is not UTF-8."""
        status = os.stat(path)  # noqa: PTH116 - each workflow that begins reads a text
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        entry = self._cache.get(path)
        if entry is not None and entry[0] == signature:
            return entry[1]
        text = reading.read_text(Path(path))
        # A file that changes twice within a tick of the clock keeps its times, so the cache ignores files that changed
        # just now.
        if len(text) <= _LARGEST and time.time_ns() - status.st_ctime_ns > _SETTLED_NS:
            if len(self._cache) >= _MOST:
                self._cache.clear()
            self._cache[path] = (signature, text)
        return text
