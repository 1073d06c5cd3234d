"""The file that a result goes to. Standard library only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class ResultFile:
    """Where a result goes, at most `limit` bytes of it. Made (0600) when the first byte comes; `size` is what was
    written in all, `cut` whether that was too much."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.size = 0
        self._limit = limit
        self._stored = 0
        self._descriptor = -1

    @property
    def cut(self) -> bool:
        """Whether the file lacks what was beyond the limit."""
        return self.size > self._limit

    @property
    def begun(self) -> bool:
        """Whether there is a file: something was written."""
        return self._descriptor != -1

    def room(self) -> int:
        """How many bytes more it takes."""
        return self._limit - self._stored

    def write(self, data: bytes | memoryview) -> int:
        """Appends; gives how many bytes were taken, all of them unless the disk is full. Raises `OSError`."""
        if self._descriptor < 0:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # One that a dead keeper began for the same attempt is begun anew.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
        kept = data[: self.room()]
        done = os.write(self._descriptor, kept) if kept else 0
        self._stored += done
        if done < len(kept):
            self.size += done
            return done
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Makes it durable, and closes it."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.fdatasync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -2
