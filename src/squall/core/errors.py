"""The errors Squall tells people, and the one table that gives each its HTTP and exit status.

A failed action is a result, never one of these. Anything that is not a `SquallError` is a bug and is told as
`internal` without details.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """How one kind of error is told: the HTTP status of the API and the exit status of the command line."""

    http: int
    exit: int


CODES: dict[str, Code] = {
    "invalid": Code(400, 2),
    "unauthorized": Code(401, 2),
    "forbidden": Code(403, 2),
    "not_found": Code(404, 2),
    "conflict": Code(409, 2),
    "gone": Code(410, 2),
    "too_large": Code(413, 2),
    "unsupported_media": Code(415, 2),
    "internal": Code(500, 2),
    "unavailable": Code(503, 2),
    "config": Code(500, 2),
}


class SquallError(Exception):
    """An error with a `code` of `CODES` and a message written for the person who meets it."""

    code = "internal"

    @property
    def http_status(self) -> int:
        """The HTTP status the API answers with."""
        return CODES[self.code].http

    @property
    def exit_status(self) -> int:
        """The exit status of a command that ends with this error."""
        return CODES[self.code].exit


class InvalidError(SquallError):
    """What the caller sent is wrong; the message names the field and what would be right."""

    code = "invalid"


class UnauthorizedError(SquallError):
    """The caller has not said who it is, or not believably."""

    code = "unauthorized"


class ForbiddenError(SquallError):
    """The caller may not do this."""

    code = "forbidden"


class NotFoundError(SquallError):
    """What the caller named does not exist."""

    code = "not_found"


class ConflictError(SquallError):
    """It exists already, or has changed meanwhile. `conflict_id` is the id of what exists, or empty."""

    code = "conflict"

    def __init__(self, message: str, conflict_id: str = "") -> None:
        super().__init__(message)
        self.conflict_id = conflict_id


class GoneError(SquallError):
    """It existed, and has been removed for good: by its age, or because somebody asked for it."""

    code = "gone"


class TooLargeError(SquallError):
    """The request is larger than a limit."""

    code = "too_large"


class UnsupportedMediaError(SquallError):
    """The request's body has a content type that is not taken there."""

    code = "unsupported_media"


class UnavailableError(SquallError):
    """The server cannot do it now; the same request may succeed later."""

    code = "unavailable"


class ConfigError(SquallError):
    """A setting, a file or a directory the server needs is wrong; the message says what to do."""

    code = "config"
