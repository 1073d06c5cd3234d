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
from typing import Any

from squall import __version__, datadir
from squall.adapters.bus.inproc import DeafBus, InProcessBus
from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.inserver import InServerLauncher
from squall.adapters.packs import PackFolders
from squall.adapters.sql.sqlite import SqliteStore, open_store
from squall.adapters.vault import KeyFileVault
from squall.api.actions import ActionRoutes
from squall.api.application import Application
from squall.api.events import EventRoutes
from squall.api.executions import ExecutionRoutes
from squall.api.output import OutputRoutes
from squall.api.root import RootRoutes
from squall.api.server import HttpServer, listen
from squall.api.views import Views
from squall.config import Settings
from squall.core.expr.jinja import Jinja
from squall.core.timestamp import to_iso
from squall.plugins import runners
from squall.ports import Bus, Clock, Journal
from squall.roles.janitor import Janitor
from squall.roles.journaler import Journaler
from squall.roles.worker import Worker
from squall.services.content import Content
from squall.services.executions import Executions
from squall.services.feeds import Feeds
from squall.services.journaling import Journaling
from squall.services.outputs import Outputs
from squall.services.running import RunLimits, Running

_LOG = logging.getLogger("squall")
_OWNER = "local"
_CLASSIC_AUTH, _CLASSIC_STREAM = 9100, 9102
_BUNDLED = Path(__file__).parent / "packs"


class App:
    """One server: everything `build` has made. Serve it with `run`."""

    def __init__(
        self,
        settings: Settings,
        store: SqliteStore,
        bus: Bus,
        clock: Clock,
        journal: FileJournal,
        launcher: InServerLauncher,
        content: Content,
        executions: Executions,
        outputs: Outputs,
        feeds: Feeds,
        worker: Worker,
        journaler: Journaler,
        journaling: Journaling,
        servers: list[HttpServer],
    ) -> None:
        self.settings = settings
        self.store = store
        self.bus = bus
        self.clock = clock
        self.journal: Journal = journal
        self.content = content
        self.executions = executions
        self.outputs = outputs
        self._file_journal = journal
        self._launcher = launcher
        self._feeds = feeds
        self._worker = worker
        self._journaler = journaler
        self._journaling = journaling
        self._servers = servers
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it answers."""
        host = self.settings.server.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._servers[0].port}"

    def stop(self) -> None:
        """Ends `run`: the first call gracefully, the second at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self, on_ready: Callable[[App], None]) -> None:
        """Serves until `stop`; `on_ready` is called when requests are answered."""
        await self._recover()
        async with asyncio.TaskGroup() as group:
            roles = [
                group.create_task(role)
                for role in (
                    self._launcher.run(),
                    self._worker.run(),
                    self._journaler.run(),
                    self._feeds.run(),
                    Janitor(self.store, self.settings.events.retention).run(),
                )
            ]
            servers = [group.create_task(server.run()) for server in self._servers]
            for server in self._servers:
                await server.started()
            about = self.about()
            with datadir.announced(self.settings.server.data_dir, about):
                on_ready(self)
                await self._stop.wait()
                await self._wind_down(servers)
            for role in roles:
                role.cancel()
        self._file_journal.close()
        await self.store.close()

    async def _recover(self) -> None:
        """Registers content; what an earlier server held is free to be claimed, which finds out what became of it."""
        count = await self.content.register()
        await self.store.tx(lambda tx: tx.queue.free(_OWNER, self.clock.now()))
        _LOG.info("content registered", extra={"actions": count})

    async def _wind_down(self, servers: list[asyncio.Task[None]]) -> None:
        _LOG.info("stopping")
        self.outputs.stop()
        self._feeds.stop()
        for server in self._servers:
            server.stop()
        grace = self.settings.server.shutdown_grace_seconds
        async with asyncio.TaskGroup() as group:
            hurried = group.create_task(self._hurry.wait())
            waiting = group.create_task(self._worker.stop(grace))
            hurried.add_done_callback(lambda done: None if done.cancelled() else self._worker.hurry())
            await waiting
            hurried.cancel()
        with contextlib.suppress(OSError):
            while await self._journaling.carry():
                pass
        await asyncio.wait(servers)
        _LOG.info("stopped")

    def about(self) -> dict[str, Any]:
        """What commands need to know of a running server."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started_at": to_iso(self.clock.now()),
            "url": self.url,
            "api_url": f"{self.url}/api/v1",
            "auth_url": f"{self.url}/auth/v1",
            "stream_url": f"{self.url}/stream/v1",
            "log": str(self.settings.server.data_dir / "logs" / "server.log"),
            "data_dir": str(self.settings.server.data_dir),
        }


def build(settings: Settings) -> App:
    """The whole server from its settings. Call it on the event loop, holding the data directory.

    Raises `ConfigError` when a port, the database or the key file cannot be used.
    """
    server = settings.server
    sockets = [listen(server.host, server.port)]
    if server.classic_ports:
        sockets += [listen(server.host, _CLASSIC_AUTH), listen(server.host, _CLASSIC_STREAM)]
    clock = SystemClock()
    store = open_store(server.data_dir / "squall.db", backup_suffix=f".before-{__version__}-{clock.now()}")
    vault = KeyFileVault.open_file(server.data_dir / "secret.key")
    bus: Bus = DeafBus() if settings.bus.kind == "deaf" else InProcessBus()
    journals = server.data_dir / "journals"
    launcher = InServerLauncher(
        journals, clock, settings.journal.free_space_floor_bytes, settings.journal.fsync_seconds
    )
    journal = FileJournal(journals)
    poll = settings.queue.poll_seconds
    user = pwd.getpwuid(os.geteuid()).pw_name
    content = Content(store, clock, PackFolders(_BUNDLED / "_runners", [_BUNDLED, *server.packs_dirs]))
    executions = Executions(store, bus, clock, vault, content, Jinja(), user)
    outputs = Outputs(store, journal, poll=poll, live=settings.actionrunner.stream_output)
    feeds = Feeds(store, bus, journal, outputs, poll=poll)
    url = f"http://{server.host}:{sockets[0].getsockname()[1]}"
    running = Running(
        executions,
        content,
        launcher,
        journal,
        runners(_base_environment(), settings.actionrunner.system_user),
        RunLimits(
            output=settings.actionrunner.output_limit_bytes,
            fail_at_limit=settings.actionrunner.output_limit_policy == "fail",
            result_output=settings.actionrunner.result_output_bytes,
        ),
        {"ST2_ACTION_API_URL": f"{url}/v1"},
    )
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
    views = Views(content, vault, url)
    heartbeat = settings.stream.heartbeat_seconds
    routes = [
        *RootRoutes(store, outputs, __version__, worker.running).routes(),
        *ExecutionRoutes(executions, views).routes(),
        *OutputRoutes(executions, outputs, heartbeat=heartbeat).routes(),
        *EventRoutes(executions, outputs, feeds, views, heartbeat=heartbeat).routes(),
        *ActionRoutes(content).routes(),
    ]
    servers = [
        _http_server(Application(routes, body_limit=server.max_body_bytes, home=home), sock, settings)
        for home, sock in zip(("api", "auth", "stream"), sockets, strict=False)
    ]
    journaler = Journaler(journaling, bus, poll=poll)
    return App(
        settings, store, bus, clock, journal, launcher, content, executions, outputs, feeds, worker, journaler,
        journaling, servers,
    )  # fmt: skip


def _http_server(application: Application, sock: socket.socket, settings: Settings) -> HttpServer:
    return HttpServer(application, sock, guarded=not settings.server.allow_local_users, grace=5.0)


def _base_environment() -> dict[str, str]:
    """What every action inherits: the server's environment without Squall's own settings, and prompt Python output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
    return {**inherited, "PYTHONUNBUFFERED": "1"}


async def serve(settings: Settings, on_ready: Callable[[App], None]) -> None:
    """Builds and runs a server until SIGTERM or SIGINT. Raises `ConfigError`."""
    datadir.prepare(settings.server.data_dir)
    with datadir.held(settings.server.data_dir):
        app = build(settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, app.stop)
        await app.run(on_ready)
