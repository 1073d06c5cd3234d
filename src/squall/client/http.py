"""The synchronous HTTP client: JSON requests over one kept connection, and byte streams over their own.

Every failure is a `SquallError`. An error status becomes the class for that status, with the server's message. A failed
connection becomes `NoServerError`. A request that changes something is never sent twice.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from squall.core import errors

JsonObject = dict[str, Any]
Query = Mapping[str, str | int | None]

STREAM_READ_BYTES = 1024 * 1024
DOUBT = "is there a Squall server of this version at the address? (--url, SQUALL_URL)"

_BY_STATUS: Mapping[int, type[errors.SquallError]] = {
    400: errors.InvalidError,
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.TooLargeError,
    415: errors.UnsupportedMediaError,
    502: errors.UnavailableError,
    503: errors.UnavailableError,
    504: errors.UnavailableError,
}


class NoServerError(errors.UnavailableError):
    """A failed connection, or one that was lost before the answer was complete.

    `refused` is true if nothing listens at the address.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class MissingError(errors.NotFoundError):
    """What the request named does not exist. `path` is its path below `/v1`, `scope` the scope of a key."""

    def __init__(self, message: str, path: str = "", scope: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.scope = scope


class Answer(NamedTuple):
    """One answer: its HTTP status, its headers with lower-case names, and its decoded JSON body (None if empty)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Client:
    """A client of one server. `url` may end with `/v1` and may have a prefix such as `/api`. `timeout` is in seconds.

    `trace`, if any, gets one line for each request. `credentials` are headers with a token or API key. Not safe to
    share between threads.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 60.0,
        trace: Callable[[str], None] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        try:
            self._port = parts.port
        except ValueError:
            raise errors.InvalidError(f"{url!r} has no valid port") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise errors.InvalidError(f"{url!r} is not a server's address: write it like http://127.0.0.1:9101")
        self.url = url
        self.timeout = timeout
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        base = parts.path.rstrip("/").removesuffix("/v1")
        self._prefix = base + "/v1"
        self._auth_prefix = base.removesuffix("/api") + "/auth/v1"
        self._trace = trace
        self._credentials = {name: _header(name, value) for name, value in (credentials or {}).items()}
        self._idle: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        auth: bool = False,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request to `path` below `/v1`, or with `auth` below `/auth/v1`. Returns the whole answer.

        Its body is `body` as JSON, or `content`; `headers` are sent in addition.

        Raises the `SquallError` class for an error status, and `NoServerError` if no complete answer came.
        """
        target = self._auth_prefix + path if auth else self._target(path, query)
        sent = {"Accept": "application/json", **self._credentials, **(headers or {})}
        payload = content
        if body is not None:
            payload = json.dumps(body, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        began = time.monotonic()
        reused = self._idle if method == "GET" else None
        try:
            response, raw = self._exchange(reused or self._connection(), method, target, payload, sent)
        except NoServerError:
            # The server may have closed an idle connection. Only a request that changes nothing is sent again.
            if reused is None:
                raise
            response, raw = self._exchange(self._connection(), method, target, payload, sent)
        if self._trace:
            elapsed_ms = (time.monotonic() - began) * 1000
            self._trace(f"{method} {target} -> {response.status} in {elapsed_ms:.1f} ms, {len(raw)} bytes")
        if not 200 <= response.status < 300:
            raise _about(_error_of(response.status, response.reason, raw), path, query)
        answer_headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answer_headers, _decode(raw, self.url))

    def stream(
        self, path: str, *, query: Query | None = None, last_event_id: str | None = None, silence: float = 45.0
    ) -> Stream:
        """Opens a stream on its own connection. `silence` seconds without a byte end it. Raises like `request`."""
        target = self._target(path, query)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache", **self._credentials}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        connection = self._connection(silence)
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise _about(_error_of(response.status, response.reason, response.read()), path, query)
            if (response.getheader("Content-Type") or "").startswith("text/html"):
                raise errors.SquallError(
                    f"the answer is a web page instead of output: is there a Squall server at {self.url}?"
                )
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreached(self.url, error) from error
        except errors.SquallError:
            connection.close()
            raise
        if self._trace:
            self._trace(f"GET {target} (stream, after {last_event_id}) -> {response.status}")
        return Stream(connection, response, self.url)

    def with_credentials(self, credentials: Mapping[str, str]) -> Client:
        """Returns another client of the same server, with these credentials."""
        return Client(self.url, timeout=self.timeout, trace=self._trace, credentials=credentials)

    def close(self) -> None:
        """Closes the idle connection."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def _target(self, path: str, query: Query | None) -> str:
        values = {name: value for name, value in (query or {}).items() if value is not None}
        return self._prefix + path + ("?" + urlencode(values) if values else "")

    def _connection(self, timeout: float | None = None) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=timeout or self.timeout)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        payload: bytes | None,
        headers: Mapping[str, str],
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Sends one request and reads its whole answer. Stores the connection for the next request if it stays open."""
        if self._idle is not None and self._idle is not connection:
            self._idle.close()
        self._idle = None
        try:
            connection.request(method, target, body=payload, headers=dict(headers))
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _unreached(self.url, error) from error
        if not response.will_close:
            self._idle = connection
        return response, raw


class Stream:
    """An open answer that is read while it arrives. Use it as a context manager."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, url: str) -> None:
        self._connection = connection
        self._response = response
        self._url = url

    def read(self) -> bytes:
        """Returns the next bytes, at least one; b"" at the proper end of the answer.

        Raises `NoServerError` if the connection was cut or silent for too long.
        """
        try:
            return self._response.read1(STREAM_READ_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _unreached(self._url, error) from error

    def close(self) -> None:
        """Closes the connection."""
        self._response.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Document(dict[str, Any]):
    """A JSON object in an answer. Reading a missing key raises `SquallError`: the server is at fault."""

    def __missing__(self, key: str) -> Any:
        raise errors.SquallError(f'the answer has no "{key}": {DOUBT}')


def _decode(raw: bytes, url: str) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw, object_hook=Document)
    except ValueError:
        raise errors.SquallError(f"the answer is not JSON: is there a Squall server at {url}?") from None


def _header(name: str, value: str) -> str:
    """Returns a value that can be sent as a header. Raises `InvalidError`."""
    if not (value.isascii() and value.isprintable()):
        raise errors.InvalidError(
            f"the token or key for the header {name} has characters other than printable ASCII: copy it again"
        )
    return value


def _error_of(status: int, reason: str, raw: bytes) -> errors.SquallError:
    """Returns the error for a status, with the server's message if it sent one."""
    fallback = errors.InvalidError if 400 <= status < 500 else errors.SquallError
    kind = _BY_STATUS.get(status, fallback)
    try:
        message = json.loads(raw)["faultstring"]
    except (ValueError, TypeError, KeyError):
        message = None
    if isinstance(message, str) and message:
        return kind(message)
    summary = f"the server answered {status} {reason}".rstrip()
    if 300 <= status < 400:
        return kind(f"{summary}: the address has moved, or a proxy requires a log-in; check --url")
    if raw and raw.lstrip()[:1] != b"{":
        return kind(f"{summary}, and the body is not JSON: a proxy may have answered instead of Squall")
    return kind(summary)


def _about(error: errors.SquallError, path: str, query: Query | None) -> errors.SquallError:
    """The error; one about something that does not exist says what was asked for."""
    if not isinstance(error, errors.NotFoundError):
        return error
    return MissingError(str(error), path, str((query or {}).get("scope") or ""))


def _unreached(url: str, error: Exception) -> NoServerError:
    """Returns the error for a failed connection, with the cause on one line."""
    if isinstance(error, ConnectionRefusedError):
        return NoServerError(f"no server answers at {url}", refused=True)
    if isinstance(error, TimeoutError):
        return NoServerError(f"the server at {url} has been silent for too long: see squall status and squall logs")
    if isinstance(error, http.client.IncompleteRead):
        return NoServerError(f"the connection to {url} was cut in the middle of an answer")
    if isinstance(error, http.client.RemoteDisconnected):
        return NoServerError(f"the server at {url} closed the connection without an answer")
    if isinstance(error, http.client.BadStatusLine | http.client.LineTooLong):
        return NoServerError(f"the program at {url} does not speak HTTP: is it a Squall server?")
    if isinstance(error, ssl.SSLError):
        detail = getattr(error, "verify_message", None) or str(error.reason or "").replace("_", " ").lower()
        return NoServerError(f"no secure connection to {url}: {detail or 'the cause is unknown'}")
    reason = getattr(error, "strerror", None) or str(error) or "the cause is unknown"
    return NoServerError(f"the connection to {url} failed: {reason}")
