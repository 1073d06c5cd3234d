"""One server: `build` creates it from its settings, `serve` runs it until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from squall import __version__
from squall.api.connection.admission import Connections
from squall.api.connection.server import HttpServer, listen
from squall.api.http.application import Application
from squall.api.http.gate import Gate
from squall.api.http.routes import Route
from squall.api.http.web import WebFiles
from squall.assembly import arguments, wiring
from squall.assembly.outside import Outside, Role, outside
from squall.assembly.wiring import OLDER_IDENTITY, Services
from squall.config import Settings
from squall.core.errors import SquallError, UnavailableError
from squall.core.timestamp import to_iso
from squall.roles.worker import Worker
from squall.server import datadir, descriptors, survival
from squall.server.stopping import call_at_stop
from squall.server.watchdog import Watchdog
from squall.services.lanes import AT_ONCE

_LOG = logging.getLogger("squall")
_CLASSIC_AUTH, _CLASSIC_STREAM = 9100, 9102
_HTTP_GRACE = 5.0


class Parts(NamedTuple):
    """The parts that `build` creates and `App` runs."""

    settings: Settings
    outside: Outside
    services: Services
    worker: Worker
    roles: list[Role]
    claimers: list[Role]
    servers: list[HttpServer]


class App:
    """One server. `build` creates it, `run` serves it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._unregistered: Sequence[str] | None = None

    @property
    def url(self) -> str:
        """The address of the API."""
        return _url(self.parts.settings.server.host, self.parts.servers[0].port)

    def stop(self) -> None:
        """Ends `run`: the first call gracefully, the second call immediately."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self, on_ready: Callable[[App], None]) -> None:
        """Serves until `stop`. Calls `on_ready` when the server answers requests.

        If the machine keeps it from beginning its work, it serves what it has, and goes on with that when it can.
        """
        parts = self.parts
        async with asyncio.TaskGroup() as group:
            beginning = group.create_task(self._begin(group))
            await self._tried(beginning)
            servers = [group.create_task(server.run()) for server in parts.servers]
            for server in parts.servers:
                await server.started()
            with datadir.announce(parts.settings.server.data_dir, self.about()) as announced:
                describing = group.create_task(self._describe(announced))
                await self._tried(describing)
                on_ready(self)
                # Creating a language takes 60 ms. Here that delays neither the start nor the first workflow.
                warming = group.create_task(parts.services.conducting.languages.warm())
                await self._stop.wait()
                await warming
                await self._wind_down(servers)
            for task in (beginning, describing, *self._tasks):
                task.cancel()
        await parts.outside.close()

    async def _tried(self, task: asyncio.Task[Any]) -> None:
        """Waits until a task has ended, or the machine has hindered one."""
        async with asyncio.TaskGroup() as group:
            hindered = group.create_task(self.parts.services.health.hindered.wait())
            await asyncio.wait((task, hindered), return_when=asyncio.FIRST_COMPLETED)
            hindered.cancel()

    async def _describe(self, announced: Callable[[], bool]) -> None:
        async def write() -> None:
            if not announced():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "server.json")

        await self.parts.services.health.begun("commands cannot find this server yet", write)

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        """Registers content, finds the keepers, frees the leases of an earlier server, and starts the roles."""
        parts = self.parts
        begun = parts.services.health.begun
        registering = group.create_task(begun("packs cannot be registered", self._register))
        self._tasks.append(registering)
        await begun("the keepers of actions cannot be found", parts.outside.start)
        await begun("statuses that a loss of power took cannot be looked up", self._repair_after_boot)
        self._start(group, [*parts.roles, Watchdog()])
        await self._tried(registering)
        await begun("what has ended cannot be looked up", parts.services.running.settle)
        await begun("what the earlier server died of cannot be looked up", parts.services.suspects.begin)
        for owner in (parts.outside.identity, OLDER_IDENTITY):
            await begun("what an earlier server was doing cannot be taken up", partial(self._free_leases, owner))
        self._start(group, parts.claimers)

    def _start(self, group: asyncio.TaskGroup, roles: Sequence[Role]) -> None:
        self._tasks += [group.create_task(role.run(), name=type(role).__name__) for role in roles]

    async def _register(self) -> None:
        """Registers all packs, then those again that could not be read. Raises `UnavailableError` if some are left."""
        registered = await self.parts.services.registration.register(self._unregistered)
        if registered.unread:
            self._unregistered = registered.unread
            raise UnavailableError(f"These packs cannot be read now: {', '.join(registered.unread)}")
        count = sum(counts.get("actions", 0) for counts in registered.packs.values())
        _LOG.info("content registered", extra={"actions": count})

    async def _repair_after_boot(self) -> None:
        """After a boot of the machine, appends the final statuses again that may not have reached the disk."""
        home = self.parts.settings.server.data_dir
        if datadir.booted_since(home):
            if count := await self.parts.services.journaling.append_again():
                _LOG.info("statuses are appended again after a boot of the machine", extra={"count": count})
            datadir.note_boot(home)

    async def _free_leases(self, owner: str) -> None:
        # At the present time, these rows would stand behind later ones that nobody has claimed yet.
        await self.parts.outside.store.tx(lambda tx: tx.queue.free(owner, AT_ONCE))

    async def _wind_down(self, servers: list[asyncio.Task[None]]) -> None:
        """Stops all parts, streams first: an HTTP server waits for its responses, and streams would never end."""
        _LOG.info("stopping")
        self.parts.services.outputs.stop()
        self.parts.services.feeds.stop()
        self.parts.services.reacting.outcomes.stop()
        for server in self.parts.servers:
            server.stop()
        self.parts.worker.pause()
        if self.parts.settings.server.stop_actions:
            await self._stop_actions()
        with contextlib.suppress(OSError, SquallError):
            while await self.parts.services.journaling.carry():
                pass
        await asyncio.wait(servers)
        _LOG.info("stopped")

    async def _stop_actions(self) -> None:
        worker = self.parts.worker
        async with asyncio.TaskGroup() as group:
            second_call = group.create_task(self._hurry.wait())
            second_call.add_done_callback(lambda task: None if task.cancelled() else worker.hurry())
            await worker.stop(self.parts.settings.server.shutdown_grace_seconds)
            second_call.cancel()

    def about(self) -> dict[str, Any]:
        """Returns the description of the running server for commands (`server.json`)."""
        data_dir = self.parts.settings.server.data_dir
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started_at": to_iso(self.parts.outside.clock.now()),
            "url": self.url,
            "api_url": f"{self.url}/api/v1",
            "auth_url": f"{self.url}/auth/v1",
            "stream_url": f"{self.url}/stream/v1",
            "log": str(data_dir / "logs" / "server.log"),
            "data_dir": str(data_dir),
        }


def build(settings: Settings) -> App:
    """Builds the server from its settings. Call it on the event loop while you hold the data directory.

    Raises `ConfigError` if a port, the database or the key file is unusable.
    """
    sockets = [listen(settings.server.host, port) for port in _ports(settings)]
    url = _url(settings.server.host, sockets[0].getsockname()[1])
    out = outside(settings)
    use = wiring.services(settings, out, url)
    worker = wiring.make_worker(settings, out, use)
    routes = wiring.routes(settings, out, use, worker, url)
    servers = _servers(settings, routes, Gate(use.access, use.reacting.webhook_settings.is_signed), sockets)
    return App(Parts(settings, out, use, worker, *wiring.roles(settings, out, use, worker), servers))


def _ports(settings: Settings) -> list[int]:
    """Returns the port of the API, and with `classic_ports` StackStorm's ports for authentication and stream."""
    classic = [_CLASSIC_AUTH, _CLASSIC_STREAM] if settings.server.classic_ports else []
    return [settings.server.port, *classic]


def _url(host: str, port: int) -> str:
    # A server that listens on all addresses is reachable from its own machine by the loopback address.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _servers(settings: Settings, routes: list[Route], gate: Gate, sockets: list[socket.socket]) -> list[HttpServer]:
    limit = settings.server.max_body_bytes
    # With authentication, requests may come from every user of the machine.
    guarded = not (settings.server.allow_local_users or settings.auth.enable)
    web = WebFiles(_web_root())
    connections = Connections(arguments.connection_limits(settings, descriptors.for_connections()))
    return [
        HttpServer(
            Application(routes, gate, body_limit=limit, home=home, web=web if home == "api" else None),
            sock,
            connections,
            guarded=guarded,
            grace=_HTTP_GRACE,
        )
        for home, sock in zip(("api", "auth", "stream"), sockets, strict=False)
    ]


def _web_root() -> Path:
    """Returns the folder of the built page: beside this file if Squall is installed, `web/dist` in a checkout."""
    installed = Path(__file__).parent / "webpage"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "web" / "dist"


async def serve(settings: Settings, on_ready: Callable[[App], None]) -> None:
    """Builds and runs a server until SIGTERM or SIGINT. Raises `ConfigError`."""
    datadir.prepare(settings.server.data_dir)
    descriptors.raise_limit()
    with datadir.lock(settings.server.data_dir):
        if not settings.server.stop_actions and (complaint := survival.check()) is not None:
            _LOG.warning(complaint)
        app = build(settings)
        call_at_stop(asyncio.get_running_loop(), app.stop)
        await app.run(on_ready)
