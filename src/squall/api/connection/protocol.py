"""The protocol of a connection: uvicorn's, with direct writing to the connection for streams, and for HTTP/1.0."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from squall.api.http.wire import DIRECT

_WITHOUT_CHUNKS = ("0.9", "1.0")


class DirectProtocol(HttpToolsProtocol):
    """The protocol that gives every request the extension `DIRECT`: it writes to the connection without a coroutine.

    Clients of HTTP/1.0 do not understand chunks (RFC 9112 6.1). They get bodies of unknown length without chunks, and
    closing the connection ends the body.
    """

    def on_headers_complete(self) -> None:
        """Adds the extension to the scope of a request, and turns chunks off for answers to HTTP/1.0."""
        chunked = self.parser.get_http_version() not in _WITHOUT_CHUNKS
        self.scope["extensions"] = {DIRECT: {"offer": self.offer, "chunked": chunked}}
        super().on_headers_complete()
        if not chunked:
            # The cycle's task has not begun, so the whole answer passes here.
            self.cycle.keep_alive = False
            self.cycle.send = _Unchunked(self.cycle).send  # type: ignore[method-assign]

    def offer(self, chunk: bytes) -> bool:
        """Writes bytes of a body to the connection. Returns False if the connection is closed or its buffer is full."""
        if self.flow.write_paused or self.transport.is_closing():
            return False
        self.transport.write(chunk)
        return True


class _Unchunked:
    """The `send` of an answer to HTTP/1.0."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._has_length = True

    async def send(self, message: Any) -> None:
        """Sends one ASGI message of the answer."""
        if message["type"] == "http.response.start":
            self._has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if not self._has_length:
                self._cycle.chunked_encoding = False
        elif not self._has_length:
            # uvicorn counts the remaining bytes of a body. The length of this body is unknown, so count each part.
            self._cycle.expected_content_length = len(message.get("body", b""))
        await self._send(message)
