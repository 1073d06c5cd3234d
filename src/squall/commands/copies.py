"""Copies files for backups: computes their hashes, flushes them to the disk, and shows the progress."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from squall.adapters import durable, reading
from squall.core.errors import ConfigError

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "squall.db"
KEYS = ("secret.key", "datastore.key.json")
PIECE = 1 << 20
PACKS_DIRS = "packs_dirs"


class Progress:
    """The display of the file that is being copied, if stderr is a terminal."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, text: str) -> None:
        """Shows `text` instead of the previous text, at most ten times a second."""
        if self._is_terminal and time.monotonic() - self._last > 0.1:
            self._last = time.monotonic()
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Clears the line."""
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def write(path: Path, pieces: Iterator[bytes] | list[bytes], mode: int = 0o600) -> tuple[str, int]:
    """Writes a durable file from `pieces`. Returns its SHA-256 (hex) and its size in bytes. Raises `OSError`."""
    durable.make_folder(path.parent)
    sha256, size = hashlib.sha256(), 0
    with durable.writing(path, mode) as put:
        for piece in pieces:
            put(piece)
            sha256.update(piece)
            size += len(piece)
    return sha256.hexdigest(), size


def digest(path: Path) -> str:
    """Returns the SHA-256 of a file, in hex."""
    sha256 = hashlib.sha256()
    with open(path, "rb", opener=reading.open_regular) as file:
        while piece := file.read(PIECE):
            sha256.update(piece)
    return sha256.hexdigest()


def check_empty(path: Path, what: str) -> None:
    """Creates a folder (0700) for `what`. Raises `ConfigError` if it is not empty or cannot be created."""
    try:
        durable.make_folder(path)
        if any(path.iterdir()):
            raise ConfigError(f"{path} is not empty: {what} needs a new or empty directory.")
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be used ({error.strerror}): {what} needs a new or empty directory."
        ) from error
