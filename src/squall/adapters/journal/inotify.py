"""One inotify instance for the whole server, with many watches: the kernel needs 10 ms to close an instance."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

MODIFY = 0x2
CREATE = 0x100
MOVED_TO = 0x80
_IGNORED = 0x8000
_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")


class Inotify:
    """Calls back when watched paths change. If the kernel has no more watches, it does nothing: readers also poll."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._callbacks: dict[int, Callable[[str], None]] = {}
        if self._descriptor >= 0:
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def watch(self, path: Path, mask: int, callback: Callable[[str], None]) -> int:
        """Calls `callback(name)` on events of `mask`. `name` is the entry's name in a watched folder, else empty.

        Returns the number of the watch; -1 if the path does not exist or the kernel has no more watches.
        Raises `OSError` for any other failure.
        """
        if self._descriptor < 0:
            return -1
        number: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask)
        if number < 0:
            if ctypes.get_errno() not in (errno.ENOENT, errno.ENOSPC, errno.ENOMEM):
                raise OSError(ctypes.get_errno(), "inotify_add_watch", str(path))
            return -1
        self._callbacks[number] = callback
        return number

    def forget(self, number: int) -> None:
        """Ends a watch."""
        if self._callbacks.pop(number, None) is not None:
            self._libc.inotify_rm_watch(self._descriptor, number)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            number, mask, _, size = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + size].rstrip(b"\0")
            at += _EVENT.size + size
            if mask & _OVERFLOW:
                for callback in list(self._callbacks.values()):
                    callback("")
            elif not mask & _IGNORED and (watcher := self._callbacks.get(number)) is not None:
                watcher(os.fsdecode(name))

    def close(self) -> None:
        """Ends all watches."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
