"""The memory of this process."""

from __future__ import annotations

import ctypes


def return_free_memory() -> None:
    """Gives the freed memory of this process back to the system, which takes some milliseconds. After a burst of output
    the C library keeps about 20 MB otherwise. Other C libraries than glibc do it themselves: there it does nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
