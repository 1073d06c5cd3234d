"""Prepares and locks the data directory. One server holds it at a time and describes itself in it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from squall.core.errors import ConfigError
from squall.core.ids import is_id

_ATTEMPTS = 5
_BETWEEN = 0.03


def prepare(path: Path) -> None:
    """Creates the directory (mode 0700) and its folders. Raises `ConfigError` if that fails."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        for name in ("journals", "logs"):
            (path / name).mkdir(mode=0o700, exist_ok=True)
        probe = path / ".writable"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"The data directory {path} cannot be used ({error.strerror}): make it writable for this user, "
            "or choose another with --data-dir."
        ) from error


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
    beside = path / ".server.id.new"
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
    return text


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Locks the directory while the context lasts. Raises `ConfigError` if another server holds it."""
    descriptor = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_lock(path, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
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
def announce(path: Path, about: dict[str, Any]) -> Iterator[None]:
    """Writes `server.json` (mode 0600), with which commands find the server, and removes it at the end."""
    file = path / "server.json"
    fresh = path / "server.json.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(about, stream, indent=1)
    fresh.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
