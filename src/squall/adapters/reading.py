"""Opens files whose paths somebody gives. A named pipe would make the reader wait for ever, and some devices never end.

Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_WORDS = "it is not a regular file"


def read_bytes(path: Path) -> bytes:
    """Returns the content of a regular file; `/dev/null` counts as an empty one. Raises `OSError`, also if the path
    names a pipe, a socket, a folder or another device. Never waits for another process."""
    with open(path, "rb", opener=open_regular) as file:
        return file.read()


def read_text(path: Path) -> str:
    """Returns the content of a regular file as `read_bytes` does. Raises `OSError`, and `UnicodeDecodeError` if it is
    not UTF-8."""
    with open(path, encoding="utf-8", opener=open_regular) as file:
        return file.read()


def open_regular(path: str, flags: int, mode: int = 0o666) -> int:
    """Opens a file as `os.open` does if it is a regular one or `/dev/null`. Raises `OSError`, never waits."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, mode)
    except OSError as error:
        if error.errno == errno.ENXIO:
            # A socket, or a pipe that nobody reads.
            raise _refusal(path) from error
        raise
    status = os.fstat(descriptor)
    is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)
    if stat.S_ISREG(status.st_mode) or is_null:
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise _refusal(path)


def _refusal(path: str) -> OSError:
    return OSError(errno.EINVAL, _WORDS, path)
