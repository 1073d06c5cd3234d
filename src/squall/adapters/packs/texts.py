"""Texts of files that are read again and again, and seldom change."""

from __future__ import annotations

import os
import time
from pathlib import Path

_MOST, _LARGEST = 256, 64 << 10
_SETTLED_NS = 2_000_000_000


class Texts:
    """Keeps small texts in memory as long as their files stay as they are."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, ...], str]] = {}

    def read(self, path: str) -> str:
        """The text of a file as it is now. Raises `OSError`, and `UnicodeDecodeError` for what is not UTF-8."""
        status = os.stat(path)  # noqa: PTH116 - each workflow that begins asks for one
        signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        last = self._kept.get(path)
        if last is not None and last[0] == signature:
            return last[1]
        text = Path(path).read_text(encoding="utf-8")
        # A file that changes twice within a tick of the clock keeps its times: one that changed just now is not kept.
        if len(text) <= _LARGEST and time.time_ns() - status.st_ctime_ns > _SETTLED_NS:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[path] = (signature, text)
        return text
