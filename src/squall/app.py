"""Puts Squall together: `build` plugs adapters into services and roles; nothing else knows which ones there are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from squall import __version__, datadir, survival
from squall.adapters.bus.inproc import DeafBus, InProcessBus
from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.remote import KeeperLauncher
from squall.adapters.packs import PackFolders
from squall.adapters.sql.sqlite import SqliteStore, open_store
from squall.adapters.vault import KeyFileVault
from squall.api.actions import ActionRoutes
from squall.api.application import Application, Route
from squall.api.events import EventRoutes
from squall.api.executions import ExecutionRoutes
from squall.api.output import OutputRoutes
from squall.api.root import RootRoutes
from squall.api.server import HttpServer, listen
from squall.api.views import Views
from squall.config import Settings
from squall.core.errors import SquallError
from squall.core.expr.jinja import Jinja
from squall.core.timestamp import to_iso
from squall.plugins import runners
from squall.ports import Bus, Clock
from squall.roles.janitor import Janitor
from squall.roles.journaler import Journaler
from squall.roles.worker import Worker
from squall.services.content import Content
from squall.services.executions import Executions
from squall.services.feeds import Feeds
from squall.services.health import Health
from squall.services.journaling import Journaling
from squall.services.outputs import Outputs
from squall.services.running import RunLimits, Running

_LOG = logging.getLogger("squall")
_OWNER = "local"
_CLASSIC_AUTH, _CLASSIC_STREAM = 9100, 9102
_HTTP_GRACE = 5.0
_BUNDLED = Path(__file__).parent / "packs"


class Parts(NamedTuple):
    """What `build` has made and `App` runs."""

    settings: Settings
    store: SqliteStore
    clock: Clock
    journal: FileJournal
    launcher: KeeperLauncher
    content: Content
    executions: Executions
    outputs: Outputs
    feeds: Feeds
    running: Running
    journaling: Journaling
    worker: Worker
    journaler: Journaler
    servers: list[HttpServer]


class App:
    """One server: everything `build` has made. Serve it with `run`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it answers."""
        return _url(self.parts.settings.server.host, self.parts.servers[0].port)

    def stop(self) -> None:
        """Ends `run`: the first call gracefully, the second at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self, on_ready: Callable[[App], None]) -> None:
        """Serves until `stop`; `on_ready` is called when requests are answered."""
        parts = self.parts
        await self._recover()
        async with asyncio.TaskGroup() as group:
            janitor = Janitor(parts.store, parts.settings.events.retention)
            waiting = (parts.launcher, parts.worker, parts.journaler, parts.feeds, janitor)
            roles = [group.create_task(role.run()) for role in waiting]
            servers = [group.create_task(server.run()) for server in parts.servers]
            for server in parts.servers:
                await server.started()
            with datadir.announced(parts.settings.server.data_dir, self.about()):
                on_ready(self)
                await self._stop.wait()
                await self._wind_down(servers)
            for role in roles:
                role.cancel()
        parts.journal.close()
        await parts.store.close()

    async def _recover(self) -> None:
        """Registers content and finds the keepers; what an earlier server held is free to be claimed and taken up."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.parts.launcher.start())
            registered = group.create_task(self.parts.content.register())
        count = registered.result()
        await self.parts.running.settle()
        await self.parts.store.tx(lambda tx: tx.queue.free(_OWNER, self.parts.clock.now()))
        _LOG.info("content registered", extra={"actions": count})

    async def _wind_down(self, servers: list[asyncio.Task[None]]) -> None:
        """Ends streams first: an HTTP server waits for its answers, and a stream's answer would last."""
        _LOG.info("stopping")
        self.parts.outputs.stop()
        self.parts.feeds.stop()
        for server in self.parts.servers:
            server.stop()
        self.parts.worker.pause()
        if self.parts.settings.server.stop_actions:
            await self._stop_actions()
        with contextlib.suppress(OSError, SquallError):
            while await self.parts.journaling.carry():
                pass
        await asyncio.wait(servers)
        _LOG.info("stopped")

    async def _stop_actions(self) -> None:
        worker = self.parts.worker
        async with asyncio.TaskGroup() as group:
            hurried = group.create_task(self._hurry.wait())
            hurried.add_done_callback(lambda done: None if done.cancelled() else worker.hurry())
            await worker.stop(self.parts.settings.server.shutdown_grace_seconds)
            hurried.cancel()

    def about(self) -> dict[str, Any]:
        """What commands need to know of a running server."""
        data_dir = self.parts.settings.server.data_dir
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started_at": to_iso(self.parts.clock.now()),
            "url": self.url,
            "api_url": f"{self.url}/api/v1",
            "auth_url": f"{self.url}/auth/v1",
            "stream_url": f"{self.url}/stream/v1",
            "log": str(data_dir / "logs" / "server.log"),
            "data_dir": str(data_dir),
        }


def build(settings: Settings) -> App:
    """The whole server from its settings. Call it on the event loop, holding the data directory.

    Raises `ConfigError` when a port, the database or the key file cannot be used.
    """
    server, poll = settings.server, settings.queue.poll_seconds
    sockets = [listen(server.host, port) for port in _ports(settings)]
    url = _url(server.host, sockets[0].getsockname()[1])
    clock = SystemClock()
    store = open_store(server.data_dir / "squall.db", backup_suffix=f".before-{__version__}-{clock.now()}")
    vault = KeyFileVault.open_file(server.data_dir / "secret.key")
    bus: Bus = DeafBus() if settings.bus.kind == "deaf" else InProcessBus()
    journals = server.data_dir / "journals"
    launcher = KeeperLauncher(
        server.data_dir / "keepers",
        journals,
        clock,
        floor=settings.journal.free_space_floor_bytes,
        fsync_seconds=settings.journal.fsync_seconds,
    )
    journal = FileJournal(journals)
    content = Content(store, clock, PackFolders(_BUNDLED / "_runners", [_BUNDLED, *server.packs_dirs]))
    user = pwd.getpwuid(os.geteuid()).pw_name
    executions = Executions(store, bus, clock, vault, content, Jinja(), user)
    outputs = Outputs(store, journal, poll=poll, live=settings.actionrunner.stream_output)
    feeds = Feeds(store, bus, journal, outputs, poll=poll)
    running = _running(settings, executions, content, launcher, journal, url)
    worker = Worker(
        executions,
        running,
        launcher,
        store,
        bus,
        clock,
        owner=_OWNER,
        slots=settings.actionrunner.workers,
        lease=settings.queue.lease_seconds,
        poll=poll,
    )
    journaling = Journaling(store, bus, clock, launcher, journal, _OWNER)
    views = Views(content, vault.open, launcher.waiting, url)
    heartbeat = settings.stream.heartbeat_seconds
    routes = [
        *RootRoutes(Health(store), outputs, __version__, worker.running).routes(),
        *ExecutionRoutes(executions, views).routes(),
        *OutputRoutes(executions, outputs, heartbeat=heartbeat).routes(),
        *EventRoutes(executions, outputs, feeds, views, heartbeat=heartbeat).routes(),
        *ActionRoutes(content).routes(),
    ]
    servers = _servers(settings, routes, sockets)
    journaler = Journaler(journaling, bus, poll=poll)
    return App(
        Parts(
            settings, store, clock, journal, launcher, content, executions, outputs, feeds, running, journaling, worker,
            journaler, servers,
        )
    )  # fmt: skip


def _ports(settings: Settings) -> list[int]:
    """The ports to listen on, StackStorm's own for authentication and the stream behind the first if asked for."""
    classic = [_CLASSIC_AUTH, _CLASSIC_STREAM] if settings.server.classic_ports else []
    return [settings.server.port, *classic]


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _running(
    settings: Settings,
    executions: Executions,
    content: Content,
    launcher: KeeperLauncher,
    journal: FileJournal,
    url: str,
) -> Running:
    limits = RunLimits(
        output=settings.actionrunner.output_limit_bytes,
        policy=settings.actionrunner.output_limit_policy,
        result_output=settings.actionrunner.result_output_bytes,
    )
    found = runners(_base_environment(), settings.actionrunner.system_user, str(Path.cwd()))
    return Running(executions, content, launcher, journal, found, limits, {"ST2_ACTION_API_URL": f"{url}/v1"}, url)


def _servers(settings: Settings, routes: list[Route], sockets: list[socket.socket]) -> list[HttpServer]:
    limit = settings.server.max_body_bytes
    guarded = not settings.server.allow_local_users
    return [
        HttpServer(Application(routes, body_limit=limit, home=home), sock, guarded=guarded, grace=_HTTP_GRACE)
        for home, sock in zip(("api", "auth", "stream"), sockets, strict=False)
    ]


def _base_environment() -> dict[str, str]:
    """What every action inherits: the server's environment without Squall's own settings, and prompt Python output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
    return {**inherited, "PYTHONUNBUFFERED": "1"}


async def serve(settings: Settings, on_ready: Callable[[App], None]) -> None:
    """Builds and runs a server until SIGTERM or SIGINT. Raises `ConfigError`."""
    datadir.prepare(settings.server.data_dir)
    with datadir.held(settings.server.data_dir):
        if not settings.server.stop_actions and (complaint := survival.look()) is not None:
            _LOG.warning(complaint)
        app = build(settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, app.stop)
        await app.run(on_ready)
