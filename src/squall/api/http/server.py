"""The HTTP server inside the process: uvicorn on sockets that Squall opens. Squall stops it; signals do not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from squall.api.http.peer import may_connect
from squall.api.http.wire import DIRECT
from squall.core.errors import ConfigError

_BACKLOG = 2048
_WITHOUT_CHUNKS = ("0.9", "1.0")
_REFUSED = (
    b'{"faultstring": "This server accepts connections only from its own user and from root. '
    b'To admit every user of this machine, start it with: squall serve --allow-local-users"}'
)


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


class GuardedProtocol(DirectProtocol):
    """The protocol that refuses connections of other users of this machine before it reads a byte."""

    def connection_made(self, transport: Any) -> None:
        """Checks the user of the new connection."""
        ours = transport.get_extra_info("sockname")
        theirs = transport.get_extra_info("peername")
        super().connection_made(transport)
        if not may_connect(ours, theirs):
            head = b"HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close\r\n"
            transport.write(head + b"content-length: %d\r\n\r\n" % len(_REFUSED) + _REFUSED)
            transport.close()


class _Quiet(uvicorn.Server):
    """uvicorn's server without its signal handlers: the process decides when it stops."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the server and sets `ready`."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures no signal, on purpose."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket. Raises `ConfigError` if the port is in use or not permitted."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Name the protocol, because asyncio turns Nagle's delay off only for sockets that are declared as TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"Port {port} on {host} cannot be used ({error.strerror}): stop the process that uses it, "
            "or choose another port with --port."
        ) from error
    sock.setblocking(False)
    return sock


class HttpServer:
    """The server of one application on one socket. `grace` is in seconds."""

    def __init__(self, application: ASGIApp, sock: socket.socket, *, guarded: bool, grace: float) -> None:
        config = uvicorn.Config(
            application,
            http=GuardedProtocol if guarded else DirectProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, int(grace)),
        )
        self._server = _Quiet(config)
        self._socket = sock

    @property
    def port(self) -> int:
        """The port of the socket."""
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self) -> None:
        """Serves until `stop`."""
        await self._server.serve(sockets=[self._socket])

    async def started(self) -> None:
        """Waits until the server answers requests."""
        await self._server.ready.wait()

    def stop(self) -> None:
        """Stops the server: it accepts no new connections, and running requests get the grace time."""
        self._server.should_exit = True
