"""The errors for users, and the table of their HTTP and exit statuses.

A failed action is a result, never one of these errors. Any other exception is a bug; users see it as `internal`
without details.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """The HTTP status (API) and the exit status (command line) of one kind of error."""

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
    "too_many": Code(429, 2),
    "internal": Code(500, 2),
    "unavailable": Code(503, 2),
    "config": Code(500, 2),
    "key_file": Code(500, 2),
}


class SquallError(Exception):
    """An error with a `code` of `CODES` and a message for the user."""

    code = "internal"

    @property
    def http_status(self) -> int:
        """The HTTP status of the API's response."""
        return CODES[self.code].http

    @property
    def exit_status(self) -> int:
        """The exit status of a command that ends with this error."""
        return CODES[self.code].exit


class InvalidError(SquallError):
    """The request is wrong; the message names the field and a right value."""

    code = "invalid"


class UnauthorizedError(SquallError):
    """The request has no credentials, or wrong ones."""

    code = "unauthorized"


class ForbiddenError(SquallError):
    """The caller may not do this."""

    code = "forbidden"


class NotFoundError(SquallError):
    """The requested resource does not exist."""

    code = "not_found"


class ConflictError(SquallError):
    """The resource exists already, or has changed meanwhile. `conflict_id` is the id of the existing one, or empty."""

    code = "conflict"

    def __init__(self, message: str, conflict_id: str = "") -> None:
        super().__init__(message)
        self.conflict_id = conflict_id


class GoneError(SquallError):
    """The resource existed, and was deleted for good: by retention, or on a user's request."""

    code = "gone"


class TooLargeError(SquallError):
    """The request is larger than a limit."""

    code = "too_large"


class UnsupportedMediaError(SquallError):
    """The endpoint does not accept the content type of the request's body."""

    code = "unsupported_media"


class TooManyError(SquallError):
    """The client has made too many attempts. `retry_after` is in seconds, at least 1."""

    code = "too_many"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(SquallError):
    """The server cannot handle the request now; the same request may succeed later."""

    code = "unavailable"


class ConfigError(SquallError):
    """A setting, a file or a directory of the server is wrong; the message says what to do."""

    code = "config"


class KeyFileError(ConfigError):
    """A key file is missing, unreadable or not the right one. What it sealed cannot be opened until it is back."""

    code = "key_file"
