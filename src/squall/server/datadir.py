"""Prepares and locks the data directory. One server holds it at a time and describes itself in it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from squall.adapters import durable
from squall.core.environment import is_of_environment
from squall.core.errors import ConfigError
from squall.core.ids import is_id

_ATTEMPTS = 5
_BETWEEN = 0.03
_PROBE = 4096
_RESTORING = "restore.incomplete"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FILES = (
    "server.lock", "server.json", "server.id", "boot.id", "secret.key", "datastore.key.json", "htpasswd",
    "squall.db", "squall.db-wal", "squall.db-shm", "seals.db", "logs/server.log",
)  # fmt: skip
_FOLDERS = ("journals", "logs", "keepers")


def check_whole(path: Path) -> None:
    """Raises `ConfigError` if a restore into the directory has begun and not ended."""
    if os.path.lexists(path / _RESTORING):
        raise ConfigError(
            f"The data directory {path} is incomplete, because a restore into it was cut off: "
            "remove the directory and run squall restore again."
        )


def begin_restore(path: Path) -> None:
    """Marks an empty directory as incomplete, and creates its folders. Raises `OSError` and `ConfigError`."""
    durable.write(path / _RESTORING, b"squall restore has not ended\n")
    _make(path)


def end_restore(path: Path) -> None:
    """Marks the directory as complete: all its files must be on the disk. Raises `OSError`."""
    (path / _RESTORING).unlink()
    durable.sync_folder(path)


def prepare(path: Path) -> None:
    """Creates the directory (mode 0700) and its folders. Raises `ConfigError` if that fails, or if the directory is not
    complete."""
    check_whole(path)
    _make(path)


def _check_kinds(path: Path) -> None:
    """Raises `ConfigError` if something has the name of a file or folder of Squall and is of another kind. Reading a
    pipe, for instance, would wait for ever. Raises `OSError`."""
    for names, fits, kind in ((_FILES, stat.S_ISREG, "a regular file"), (_FOLDERS, stat.S_ISDIR, "a folder")):
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                if not fits((path / name).stat().st_mode):
                    raise ConfigError(
                        f"The data directory {path} cannot be used: {name} is not {kind}. "
                        "Move it away, or restore the data directory from a backup (squall restore)."
                    )


def _make(path: Path) -> None:
    try:
        _check_kinds(path)
        durable.make_folder(path)
        path.chmod(0o700)
        for name in ("journals", "logs"):
            durable.make_folder(path / name)
        check_writable(path)
    except OSError as error:
        if error.errno in _FULL and (path / "logs").is_dir():
            # What is there can be served, and the server goes on by itself when there is room.
            return
        raise ConfigError(
            f"The data directory {path} cannot be used ({error.strerror}): make it writable for this user, "
            "or choose another with --data-dir."
        ) from error


def check_writable(path: Path) -> None:
    """Writes a little into the directory, and removes it. Raises `OSError`."""
    probe = path / ".writable"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.write(descriptor, bytes(_PROBE)) < _PROBE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(probe))
    finally:
        os.close(descriptor)
        with suppress(OSError):
            probe.unlink()


def used(path: Path) -> str:
    """Returns the name of something in the directory that only a server with a database leaves; empty if there is
    nothing."""
    for name in ("seals.db", "server.id"):
        if (path / name).exists():
            return name
    for folder in sorted((path / "journals").glob("*/")):
        for file in sorted(folder.iterdir()):
            if file.suffix in (".journal", ".sealed"):
                return str(file.relative_to(path))
    return ""


def identity(path: Path) -> str:
    """Returns the name under which this data directory's server holds leases. `server.id` stores it.

    If the file cannot be written, the name is new for each process; then the leases of the previous one must expire.
    """
    file = path / "server.id"
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if is_id(text):
        return text
    text = os.urandom(12).hex()
    with suppress(OSError):
        durable.write(file, f"{text}\n".encode())
    return text


def booted_since(path: Path) -> bool:
    """Returns True if the machine may have lost its power since the last `note_boot` of this data directory: it runs
    under another boot id."""
    try:
        return (path / "boot.id").read_text().strip() != _boot()
    except (OSError, UnicodeDecodeError):
        return True


def note_boot(path: Path) -> None:
    """Notes the machine's boot id. If there is no room for it, the next start finds an old one."""
    with suppress(OSError):
        durable.write(path / "boot.id", f"{_boot()}\n".encode())


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Locks the directory while the context lasts. Raises `ConfigError` if another server holds it."""
    descriptor = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_lock(path, descriptor)
        with suppress(OSError):
            # The number is for people only; a full disk may have no room for it.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take_lock(path: Path, descriptor: int) -> None:
    """Takes the lock. It retries for a moment, because commands that look for a server hold the lock briefly."""
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_BETWEEN)
    raise ConfigError(_holder(path, descriptor))


def _holder(path: Path, descriptor: int) -> str:
    pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    try:
        where = f" at {json.loads((path / 'server.json').read_text())['url']}"
    except (OSError, ValueError, KeyError):
        where = ""
    return (
        f"The data directory {path} is held by a running server (pid {pid}{where}): "
        f"stop it with squall stop --data-dir {path}, or choose another with --data-dir."
    )


@contextmanager
def announce(path: Path, about: dict[str, Any]) -> Iterator[Callable[[], bool]]:
    """Writes `server.json` (mode 0600), with which commands find the server, and removes it at the end.

    Yields a function that writes it if there was no room for it yet, and returns whether it is there.
    """
    file = path / "server.json"
    data = json.dumps(about, indent=1).encode()
    written = _described(file, data)

    def again() -> bool:
        nonlocal written
        written = written or _described(file, data)
        return written

    try:
        yield again
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _described(file: Path, data: bytes) -> bool:
    """Writes `server.json`. Returns False if there is no room for it. Raises other kinds of `OSError`."""
    fresh = file.with_name("server.json.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        fresh.replace(file)
    except OSError as error:
        if not is_of_environment(error):
            raise
    else:
        return True
    with suppress(OSError):
        fresh.unlink(missing_ok=True)
    with suppress(OSError), open(file, "r+b") as stream:
        # A server that was killed has left its own, which has the room: it is wrong now in any case.
        stream.write(data)
        stream.truncate()
        return True
    return False
