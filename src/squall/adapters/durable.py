"""Writes files so that a loss of power leaves either the old state or the new one.

When a function returns, its change is on the disk: the bytes of the file, and the name in its folder. A file gets its
name only after its bytes are on the disk. Standard library only, because the keeper uses it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
_CANNOT_SYNC_FOLDERS = (errno.EINVAL, errno.ENOTSUP)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replaces a file, or a link, with a file of `data`. Its folder must exist. Raises `OSError`."""
    with writing(path, mode) as put:
        put(data)


def create(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Creates a file of `data`. Returns False, and changes nothing, if the name is in use. Raises `OSError`."""
    try:
        with writing(path, mode, replace=False) as put:
            put(data)
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def writing(
    path: Path, mode: int = 0o600, *, temporary: Path | None = None, replace: bool = True
) -> Iterator[Callable[[bytes], None]]:
    """Yields a function that appends bytes to a new file, which gets the name `path` when the block ends.

    Until then its name is `temporary`, in the same folder; without one, a new name. If the block fails, the new file is
    removed and `path` stays as it was. Raises `OSError`; without `replace`, `FileExistsError` if the name is in use.
    """
    fresh = temporary or path.with_name(f".{path.name[:200]}.{os.urandom(4).hex()}.new")
    descriptor = os.open(fresh, _NEW_FILE, mode)
    try:
        try:
            yield lambda data: write_all(descriptor, data)
            # The umask may have taken bits of the mode away.
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            fresh.replace(path)
        else:
            # Unlike a rename, a link never replaces what is there.
            path.hardlink_to(fresh)
            fresh.unlink()
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    sync_folder(path.parent)


def append(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Appends to a file, which is created if it is missing. Processes that append at once wait for each other. Raises
    `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def link(path: Path, target: str) -> None:
    """Makes `path` a symbolic link to `target`; it replaces a file or a link. Raises `OSError`."""
    fresh = path.with_name(f".{path.name[:200]}.{os.urandom(4).hex()}")
    fresh.symlink_to(target)
    try:
        fresh.replace(path)
    except OSError:
        fresh.unlink()
        raise
    sync_folder(path.parent)


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Creates a folder, and those above it that are missing. Does nothing if it exists. Raises `OSError`."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_folder(path.parent, 0o777)
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
    try:
        sync_folder(path.parent)
    except OSError:
        # The next caller would take a folder that is there for one whose name is on the disk.
        with contextlib.suppress(OSError):
            path.rmdir()
        raise


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of `data`. Raises `OSError`."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_file(path: Path) -> None:
    """Forces to the disk what another program has written to a file, and its name. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Forces the names in a folder to the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems keep names by themselves, and refuse this.
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def sync_folders(root: Path) -> None:
    """Forces the names in a folder, and in all folders below it, to the disk. Raises `OSError`."""
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))


def sync_tree(folder: Path) -> None:
    """Forces to the disk what other programs have written below a folder. Raises `OSError`.

    It syncs the whole file system: for the thousands of files of a virtualenv, one call costs less than one per file.
    """
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(descriptor)
