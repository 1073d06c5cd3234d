"""The decisions: pure functions and records. No I/O, no async, no clock, no randomness."""

from __future__ import annotations

import errno
from typing import Final

# Here, as a keeper needs it without loading anything else; `squall.core.environment` is its user.
ERRNOS: Final = frozenset(
    (
        errno.EAGAIN, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENODEV, errno.ENOLCK,
        errno.ENOMEM, errno.ENOSPC, errno.ENXIO, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT,
    )
)  # fmt: skip
"""The error numbers of system calls that fail because of the machine. All others, `ENOENT` for instance, are about the
file or program that was named."""
