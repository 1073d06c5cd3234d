"""The protocol that bounds what a connection costs before somebody has shown a credential: bytes, memory and time."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from squall.api.connection.admission import Connections, Verdict
from squall.api.connection.pacing import keep_few_unsent
from squall.api.connection.parsing import MOST_DISCARDED, CheckedProtocol, Phase, blank_line
from squall.api.connection.peer import may_connect

_READ = 64 << 10
"""The most bytes of one read: what waits behind a request that is being answered takes no more than this."""
_MOST_HELD = 16 << 10
"""A connection with so many bytes of further requests is not read until they have their turn."""
_LINGER = 2.0
_RETRY_AFTER = "5"
_REFUSED = (
    "This server accepts connections only from its own user and from root. "
    "To admit every user of this machine, start it with: squall serve --allow-local-users"
)
_TOO_MANY = "The server has too many connections (server.max_connections, server.max_connections_per_address)."


class _Flow(FlowControl):
    """Flow control that does not read on while `blocked`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.blocked = False

    def resume_reading(self) -> None:
        """Reads on, unless `blocked`."""
        if not self.blocked:
            super().resume_reading()


class BoundedProtocol(CheckedProtocol):
    """The protocol that parses one request after the other, within the limits of `connections`. While a request is
    answered, further ones wait as bytes, of which there are few. If `guarded`, it refuses other users of this
    machine before it reads a byte."""

    def __init__(self, connections: Connections, guarded: bool, **uvicorn: Any) -> None:
        super().__init__(connections, **uvicorn)
        self._guarded = guarded
        self._held = b""
        self._unsent = 0

    # -- the connection

    def connection_made(self, transport: Any) -> None:
        """Admits the connection, or refuses it before it has cost anything."""
        super().connection_made(transport)
        transport.max_size = _READ
        self.flow = _Flow(transport)
        peer = transport.get_extra_info("peername") or ("",)
        sock = transport.get_extra_info("socket")
        verdict = self._connections.admit(self, str(peer[0]), sock.fileno())
        if verdict is Verdict.DROPPED:
            self._phase = Phase.CLOSING
            transport.abort()
        elif verdict is Verdict.REFUSED:
            self._write(503, _TOO_MANY)
        elif self._guarded and not may_connect(transport.get_extra_info("sockname"), peer):
            self._write(403, _REFUSED)
        else:
            self.deadline = self._connections.clock() + self._limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection and what it still had to say."""
        self._connections.leave(self)
        self._held = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what has come, or keeps it until the answer before it is complete."""
        if self._phase is Phase.CLOSING:
            self._drop(len(data))
        elif self._held:
            self._hold(self._held + data)
        else:
            self._feed(data)

    def resume_writing(self) -> None:
        """Goes on with further requests when the client has read enough of the answers."""
        super().resume_writing()
        self._go_on()

    def evict(self) -> None:
        """Closes the connection at once: others need its place."""
        self._phase = Phase.CLOSING
        self.transport.abort()

    # -- bytes

    def _feed(self, data: bytes) -> None:
        while data and self._phase is not Phase.CLOSING:
            if self._phase is Phase.ANSWER or self.flow.write_paused:
                self._hold(data)
                return
            # Requests end only at such a place, so that no piece has more than one.
            end = blank_line(data)
            piece, data = (data, b"") if end < 0 else (data[:end], data[end:])
            self._silent += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade:
                # No protocol is offered, so the request is answered as if it had not asked; see `on_headers_complete`.
                continue
            except httptools.HttpParserError:
                self._refuse(*(self._refusal or (400, "The request is not valid HTTP/1.1.")))
                return
            if self._silent > self._limits.header_bytes:
                self._refuse(*self._too_large_head())
                return

    def _hold(self, data: bytes) -> None:
        if not self._held:
            keep_few_unsent(self.transport.get_extra_info("socket"))
        self._held = data
        if len(data) >= _MOST_HELD:
            self._flow.blocked = True
            self.flow.pause_reading()

    def _go_on(self) -> None:
        """Goes on with what waits, at the pace of pipelined requests."""
        if self._held:
            self._connections.pacing.begin(self._advance)
        else:
            self._advance()

    def _advance(self) -> None:
        """Goes on with what waits, if its turn has come."""
        if self._phase in (Phase.ANSWER, Phase.CLOSING) or self.flow.write_paused:
            return
        data, self._held = self._held, b""
        self._flow.blocked = False
        if data:
            self._feed(data)
        if not self._flow.blocked:
            self.flow.resume_reading()

    @property
    def _flow(self) -> _Flow:
        assert isinstance(self.flow, _Flow)  # noqa: S101 - `connection_made` sets it
        return self.flow

    # -- answers and ends

    def on_response_complete(self) -> None:
        """Goes on when a request has its whole answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._close()
        elif self.pipeline:
            # The end of a body came together with the next head.
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._refusal is not None:
            self._write(*self._refusal)
        elif self._phase is Phase.HEAD:
            self.deadline = self._connections.clock() + self._limits.head_seconds
            self._connections.waits(self)
            self.flow.resume_reading()
        elif self._phase is Phase.BODY:
            self.flow.resume_reading()
        elif self._phase is Phase.ANSWER:
            self._rest()
            self._go_on()

    def _refuse(self, status: int, message: str) -> None:
        """Answers the present request with an error and closes."""
        self._refusal = (status, message)
        self._held = b""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        queued = bool(self.pipeline)
        self.pipeline.clear()
        if self._phase is Phase.BODY and cycle is not None and cycle.response_complete:
            # It has its answer; only the rest of its body was read and dropped.
            self._close()
        elif cycle is None or cycle.response_complete:
            self._write(status, message)
        elif cycle.scope is self.scope and not queued:
            # Its own answer has begun or waits for the body.
            begun = cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
            if begun:
                self.evict()
            else:
                self._write(status, message)
        else:
            self._flow.blocked = True
            self.flow.pause_reading()

    def _write(self, status: int, message: str) -> None:
        self.transport.write(_last_answer(status, message))
        self._close()

    def _close(self) -> None:
        """Closes the connection once the client has the answer. Until then drops what the client sends: the answer
        would be lost if the connection was closed with something unread."""
        self._phase = Phase.CLOSING
        self._held = b""
        self._dropped = 0
        self._unsent = self.transport.get_write_buffer_size()
        self.deadline = self._connections.clock() + (self._limits.idle_seconds if self._unsent else _LINGER)
        self._connections.waits(self)
        if not self.transport.is_closing():
            self._flow.blocked = False
            self.flow.resume_reading()
            self.transport.write_eof()

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > MOST_DISCARDED:
            self.transport.abort()

    def overdue(self, now: float) -> None:
        """Ends what takes too long: 408 for a request, a plain close for an idle connection. A client that still reads
        an answer, however slowly, may go on."""
        unsent = self.transport.get_write_buffer_size()
        if self._phase in (Phase.IDLE, Phase.CLOSING) and unsent and unsent != self._unsent:
            self._unsent = unsent
            self.deadline = now + self._limits.idle_seconds
        elif self._phase is Phase.CLOSING or (unsent and self._phase is Phase.IDLE):
            self.transport.abort()
        elif self._phase is Phase.IDLE:
            self._phase = Phase.CLOSING
            self.deadline = now + _LINGER
            self.transport.close()
        elif self._phase is Phase.BODY and self.flow.read_paused:
            self.deadline = now + self._limits.body_seconds
        else:
            self._refuse(408, f"The request was not complete in time; its {self._phase.name.lower()} took too long.")


def _last_answer(status: int, message: str) -> bytes:
    body = json.dumps({"faultstring": message}).encode()
    retry = f"retry-after: {_RETRY_AFTER}\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
    )
    return head.encode() + body
