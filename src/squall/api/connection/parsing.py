"""The parsing of requests within limits: what a request's head and body may be, and how long they may take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Any

from squall.api.connection.admission import Connections
from squall.api.connection.limits import client_of, is_trusted
from squall.api.connection.protocol import DirectProtocol

_SLOWEST = 500
"""The least bytes a second of a body."""
MOST_DISCARDED = 16 << 20
"""The most bytes that are read and dropped so that a client sees the answer before it has sent its whole request."""


def blank_line(data: bytes) -> int:
    """Returns where the first blank line ends, which ends a head, and a body in chunks; -1 if there is none. Lines end
    with LF or CRLF. A regular expression would take four times as long, for each byte of each body."""
    if b"\n" not in data:
        return -1
    short = data.find(b"\n\n")
    long = data.find(b"\n\r\n", 0, short + 2 if short >= 0 else None)
    if long >= 0:
        return long + 3
    return short + 2 if short >= 0 else -1


class Phase(Enum):
    """What a connection is doing: `HEAD` a request begins, `BODY` it goes on, `ANSWER` it is complete and being
    answered, `IDLE` nothing, `CLOSING` what still comes is dropped."""

    HEAD = 0
    BODY = 1
    ANSWER = 2
    IDLE = 3
    CLOSING = 4


class RefusedError(Exception):
    """Ends the parsing of a request that breaks a limit."""


class AnswerTransport:
    """The transport of one answer. If the answer is the last one of its connection, uvicorn closes the connection with
    it; then `end` is called instead."""

    def __init__(self, transport: Any, end: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = end


class CheckedProtocol(DirectProtocol, ABC):
    """The protocol that checks each request while it is parsed. A request that breaks a limit ends the parsing with an
    error and leaves its answer, status and message, in `_refusal`. `deadline` is on the clock of `connections`."""

    def __init__(self, connections: Connections, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._connections = connections
        self._limits = connections.limits
        self.deadline = inf
        self._phase = Phase.HEAD
        self._refusal: tuple[int, str] | None = None
        # Bytes: since the parser's last call, of the head, of the body, dropped after the answer.
        self._silent = self._head = self._body = self._dropped = 0
        self._body_began = 0.0
        self._forwarded: list[str] = []

    def end_answer(self) -> None:
        """Closes the connection after its last answer. If the request has not come completely, it is read first: the
        answer would be lost if the connection was closed with something unread."""
        if self.cycle.response_complete and self._phase is Phase.BODY and not self.transport.is_closing():
            self.transport.write_eof()
        else:
            self.transport.close()

    @abstractmethod
    def evict(self) -> None:
        """See `admission.Connection`."""

    @abstractmethod
    def overdue(self, now: float) -> None:
        """See `admission.Connection`."""

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        if self._phase is Phase.IDLE:
            self.deadline = self._connections.clock() + self._limits.head_seconds
        self._phase = Phase.HEAD
        self._silent = self._head = 0
        if self._forwarded:
            self._forwarded = []

    def on_url(self, url: bytes) -> None:
        """Adds a part of the target."""
        self._silent = 0
        self._head += len(url)
        if self._head > self._limits.line_bytes:
            self._stop(414, f"The request's address is longer than {self._limits.line_bytes} bytes.")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header. Drops those behind a body in chunks: nothing reads them."""
        self._silent = 0
        self._head += len(name) + len(value) + 4
        if self._head > self._limits.header_bytes:
            self._stop(*self._too_large_head())
        if self._phase is not Phase.HEAD:
            return
        super().on_header(name, value)
        if len(self.headers) > self._limits.headers:
            self._stop(431, f"The request has more than {self._limits.headers} headers (server.max_headers).")
        if self.headers[-1][0] == b"x-forwarded-for":
            self._forwarded.append(value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Starts the answer."""
        self._silent = 0
        if self._forwarded and self.client and is_trusted(self.client[0], self._limits.trusted):
            self.scope["client"] = (client_of(self.client[0], self._forwarded, self._limits.trusted), 0)
        super().on_headers_complete()
        # The cycle's task has not begun.
        self.cycle.transport = AnswerTransport(self.transport, self.end_answer)  # type: ignore[assignment]
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False
        self._phase = Phase.BODY
        self._body = self._dropped = 0
        self._body_began = self._connections.clock()
        self.deadline = self._body_began + self._limits.body_seconds
        self._connections.works(self)

    def on_body(self, body: bytes) -> None:
        """Adds a part of the body."""
        self._silent = 0
        self._body += len(body)
        allowed = self._limits.body_seconds
        now = self._connections.clock()
        self.deadline = min(now + allowed, self._body_began + allowed + self._body / _SLOWEST)
        if self.cycle.response_complete:
            self._dropped += len(body)
            if self._dropped > MOST_DISCARDED:
                self._stop(413, "The request's body is too large.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        super().on_message_complete()
        self._silent = 0
        self.deadline = inf
        self._phase = Phase.ANSWER
        if self.cycle.response_complete:
            if self.cycle.keep_alive:
                self._rest()
            else:
                self._close()

    @abstractmethod
    def _close(self) -> None:
        """Closes the connection once the client has the answer."""

    def _rest(self) -> None:
        self._phase = Phase.IDLE
        self.deadline = self._connections.clock() + self._limits.idle_seconds
        self._connections.waits(self)

    def _too_large_head(self) -> tuple[int, str]:
        if self._phase is Phase.BODY:
            return 400, "The request's body has too much between its chunks."
        return (
            431,
            f"The request's headers are larger than {self._limits.header_bytes} bytes (server.max_header_bytes).",
        )

    def _stop(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        raise RefusedError
