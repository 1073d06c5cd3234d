"""Tells errors of the environment from all others: this is the one definition of them.

After an error of the environment (a full disk, no free descriptor, a key file that is away) the same work may succeed
later, with the same input. So it is never an outcome: the work waits and is tried again.
"""

from __future__ import annotations

from typing import Final

from squall.core import ERRNOS
from squall.core.errors import KeyFileError, SquallError, UnavailableError

RETRIED: Final = (SquallError, OSError, MemoryError)
"""What a loop that repeats its work by itself logs and survives: errors of the environment, and those of one turn."""

_NO_THREAD = "can't start new thread"
_DEPTH = 8


def is_errno_of_environment(error: OSError) -> bool:
    """Returns True if the machine, not what was named, made a system call fail. An error without a number, such as one
    that a keeper has told, names nothing."""
    return error.errno in ERRNOS or (error.errno is None and type(error) in (OSError, TimeoutError))


def is_of_environment(error: BaseException) -> bool:
    """Returns True if an error, or the error that it was raised from, is one of the environment."""
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and str(error) == _NO_THREAD):
        return True
    cause: BaseException | None = error
    for _ in range(_DEPTH):
        if isinstance(cause, UnavailableError | KeyFileError):
            return True
        if isinstance(cause, OSError) and is_errno_of_environment(cause):
            return True
        cause = cause.__cause__ if cause is not None else None
    return False


def judged(error: BaseException, otherwise: SquallError) -> SquallError:
    """Returns `otherwise`, which blames what was named, unless `error` is of the environment; then the same message as
    an `UnavailableError`."""
    return UnavailableError(str(otherwise)) if is_of_environment(error) else otherwise


def back_off(failures: int) -> float:
    """Returns the seconds to wait before the next try after so many failures in a row: 0.2 at first, 5 at most."""
    return float(min(0.2 * 2 ** min(max(failures - 1, 0), 10), 5.0))
