"""Records on a `Disk` what the process does to files: the calls of `os`, and SQLite's through a VFS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.doubles.disk import FOLDER, Cut, Disk, Sync, SyncFolder, Write

_REAL = "unix"
_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


class _Calls:
    """The calls of `os` that change files, each recorded beside the real one.

    A write is recorded before it is made, and a sync after it: nothing counts as synced too early.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._real = {name: getattr(os, name) for name in dir(self) if not name.startswith("_")}
        self._files: dict[int, tuple[int, bool]] = {}
        self._folders: dict[int, str] = {}

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        new = not os.path.lexists(path)
        descriptor: int = self._real["open"](path, flags, mode, dir_fd=dir_fd)
        if isinstance(path, str | Path) and self._disk.inside(path):
            if flags & os.O_DIRECTORY:
                self._folders[descriptor] = str(path)
            elif new or flags & (os.O_WRONLY | os.O_RDWR) or str(path) in self._disk.known():
                node = self._disk.opened(path)
                self._files[descriptor] = node, bool(flags & os.O_APPEND)
                if flags & os.O_TRUNC and not new:
                    self._disk.add(Cut(node, 0))
        return descriptor

    def dup(self, descriptor: int) -> int:
        copy: int = self._real["dup"](descriptor)
        if descriptor in self._files:
            self._files[copy] = self._files[descriptor]
        return copy

    def close(self, descriptor: int) -> None:
        self._files.pop(descriptor, None)
        self._folders.pop(descriptor, None)
        self._real["close"](descriptor)

    def write(self, descriptor: int, data: Any) -> int:
        if descriptor in self._files:
            node, appends = self._files[descriptor]
            at = os.fstat(descriptor).st_size if appends else os.lseek(descriptor, 0, os.SEEK_CUR)
            self._disk.add(Write(node, at, bytes(data)))
        done: int = self._real["write"](descriptor, data)
        return done

    def pwrite(self, descriptor: int, data: Any, at: int) -> int:
        if descriptor in self._files:
            self._disk.add(Write(self._files[descriptor][0], at, bytes(data)))
        done: int = self._real["pwrite"](descriptor, data, at)
        return done

    def pwritev(self, descriptor: int, parts: Any, at: int) -> int:
        if descriptor in self._files:
            self._disk.add(Write(self._files[descriptor][0], at, b"".join(bytes(part) for part in parts)))
        done: int = self._real["pwritev"](descriptor, parts, at)
        return done

    def ftruncate(self, descriptor: int, size: int) -> None:
        if descriptor in self._files:
            self._disk.add(Cut(self._files[descriptor][0], size))
        self._real["ftruncate"](descriptor, size)

    def fsync(self, descriptor: int) -> None:
        self._real["fsync"](descriptor)
        self._synced(descriptor)

    def fdatasync(self, descriptor: int) -> None:
        self._real["fdatasync"](descriptor)
        self._synced(descriptor)

    def _synced(self, descriptor: int) -> None:
        if descriptor in self._files:
            self._disk.add(Sync(self._files[descriptor][0]))
        elif descriptor in self._folders:
            self._disk.add(SyncFolder(self._folders[descriptor]))

    def replace(self, old: Any, new: Any, **more: Any) -> None:
        self._real["replace"](old, new, **more)
        if self._disk.inside(new):
            self._disk.renamed(old, new)

    def link(self, old: Any, new: Any, **more: Any) -> None:
        self._real["link"](old, new, **more)
        if self._disk.inside(new):
            self._disk.linked(old, new)

    def symlink(self, target: Any, path: Any, *more: Any, **most: Any) -> None:
        self._real["symlink"](target, path, *more, **most)
        if self._disk.inside(path):
            self._disk.named(path, str(target))

    def mkdir(self, path: Any, mode: int = 0o777, **more: Any) -> None:
        self._real["mkdir"](path, mode, **more)
        if self._disk.inside(path):
            self._disk.named(path, FOLDER)

    def unlink(self, path: Any, **more: Any) -> None:
        self._real["unlink"](path, **more)
        if isinstance(path, str | Path) and self._disk.inside(path):
            self._disk.named(path, None)


@contextmanager
def recorded_calls(disk: Disk) -> Iterator[None]:
    """Records the calls of `os` while the context lasts."""
    calls = _Calls(disk)
    with pytest.MonkeyPatch.context() as patch:
        for name in dir(calls):
            if not name.startswith("_"):
                patch.setattr(os, name, getattr(calls, name))
        yield


class _File(apsw.VFSFile):
    """A file of SQLite's."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__(_REAL, name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk = disk
        self._node = disk.opened(path)
        # SQLite's own VFS syncs the folder with the first sync of a journal that it has created.
        self._folder = os.path.dirname(path) if flags[0] & _JOURNALS else ""

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.add(Write(self._node, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.add(Cut(self._node, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.add(Sync(self._node))
        if self._folder:
            self._disk.add(SyncFolder(self._folder))
            self._folder = ""


class _Vfs(apsw.VFS):
    """SQLite's own VFS, which every new connection uses while this exists, recorded."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("recorded", _REAL, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not self._disk.inside(path):
            return apsw.VFSFile(_REAL, name, flags)
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        if self._disk.inside(filename):
            self._disk.named(filename, None)
            if syncdir:
                self._disk.add(SyncFolder(os.path.dirname(filename)))


@contextmanager
def recorded(disk: Disk) -> Iterator[Callable[[object], None]]:
    """Records all changes of files, also SQLite's, while the context lasts. Yields what records that somebody was told
    a fact. Connections that are opened in the context must be closed in it."""
    vfs = _Vfs(disk)
    try:
        with recorded_calls(disk):
            yield disk.told
    finally:
        vfs.unregister()
