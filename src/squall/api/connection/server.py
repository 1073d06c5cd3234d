"""The HTTP server inside the process: uvicorn on sockets that Squall opens. Squall stops it; signals do not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from squall.api.connection.admission import Connections
from squall.api.connection.bounded import BoundedProtocol
from squall.core.errors import ConfigError

_BACKLOG = 2048
_ACCEPTED_AT_ONCE = 32
"""The most connections that one turn of the event loop accepts. They are admitted or closed in the turn after it; until
then they use descriptors that are kept free."""
_TICKS = 10
"""uvicorn ticks ten times a second."""


class _Quiet(uvicorn.Server):
    """uvicorn's server without its signal handlers: the process decides when it stops."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._connections = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the server and sets `ready`."""
        await super().startup(sockets)
        for sock in sockets or ():
            # The system may queue more than one turn accepts.
            sock.listen(_BACKLOG)
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        """Ends connections that let a time pass, once a second."""
        if counter % _TICKS == 0:
            self._connections.expire()
        return await super().on_tick(counter)

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
    """The server of one application on one socket. `connections` may be those of several servers. If `guarded`, it
    refuses other users of this machine. `grace` is in seconds."""

    def __init__(
        self, application: ASGIApp, sock: socket.socket, connections: Connections, *, guarded: bool, grace: float
    ) -> None:
        config = uvicorn.Config(
            application,
            http=cast(Any, partial(BoundedProtocol, connections, guarded)),
            ws="none",
            lifespan="off",
            backlog=_ACCEPTED_AT_ONCE,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, int(grace)),
        )
        self._server = _Quiet(config, connections)
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
