"""The data directory: one server holds it at a time, and says in it who it is."""

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
    """Makes the directory (mode 0700) with its folders. Raises `ConfigError` when that is not allowed."""
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


def identity(path: Path) -> str:
    """The name under which the server of this data directory holds leases: made once, and kept in `server.id`.

    Where it cannot be written it lasts as long as the process; then leases that are left behind run out.
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
def held(path: Path) -> Iterator[None]:
    """Holds the directory. Raises `ConfigError` that says who holds it already."""
    descriptor = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(path, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> None:
    """Takes the lock. Commands that look for a server hold it for a moment, so it is tried for a moment, too."""
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
def announced(path: Path, about: dict[str, Any]) -> Iterator[None]:
    """Writes `server.json` (mode 0600), by which commands find the server, for as long as it runs."""
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
