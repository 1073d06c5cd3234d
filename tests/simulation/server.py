"""One simulated server: Squall's own services and roles, as a server puts them together, over simulated adapters."""

from __future__ import annotations

import asyncio
import contextvars
import random
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from tests.simulation.journal import SimulatedJournal
from tests.simulation.keeper import Keeper, SimulatedLauncher
from tests.simulation.loop import PROCESS, VirtualLoop
from tests.simulation.outside import JumpingClock, NoArchive, NoEvaluations, NoLines, NoMarks, UnreliableBus
from tests.simulation.store import Disk, MemoryStore

from squall.adapters.vault import KeyFileVault
from squall.assembly import arguments, wiring
from squall.assembly.folders import pack_folders
from squall.assembly.outside import Outside, Role
from squall.assembly.plugins import runners
from squall.assembly.wiring import Services
from squall.config import Settings
from squall.config.settings import Queue, Storage
from squall.config.settings import Server as ServerSettings
from squall.core.expr.language import Language
from squall.services.lanes import AT_ONCE

T = TypeVar("T")
LEASE = 8.0
URL = "http://127.0.0.1:9101"


def settings(home: Path, poll: float) -> Settings:
    """Returns the settings of a simulated server: leases end soon, and nothing is sealed or removed."""
    return Settings(
        server=ServerSettings(data_dir=home, packs_dirs=(home / "extra",)),
        queue=Queue(lease_seconds=LEASE, poll_seconds=poll),
        storage=Storage(janitor_seconds=86_400),
    )


@contextmanager
def shared_parts() -> Iterator[None]:
    """Shares what is costly to make and has no state: the languages of expressions, and the table of runners."""
    language = Language(evaluator=NoEvaluations())
    with (
        patch("squall.assembly.conducting.Language", lambda *_args, **_more: language),
        patch("squall.assembly.wiring.runners", _once(runners)),
        patch("squall.assembly.arguments.environments", _once(arguments.environments)),
        patch("squall.assembly.wiring.pack_folders", _once(pack_folders)),
        # Few events at once, so that some wait in the queue while others are under way.
        patch("squall.services.event.rules.evaluation.MOST", 2),
        patch("squall.services.event.rules.enforcing.MOST_MATCHES", 2),
        # There is no file of a database whose key could be checked.
        patch("squall.assembly.key_files.cipher", arguments.cipher),
    ):
        yield


def _once(make: Callable[..., T]) -> Callable[..., T]:
    """Returns a function that calls `make` the first time, and returns the same again and again."""
    made: list[T] = []

    def same(*args: object, **more: object) -> T:
        if not made:
            made.append(make(*args, **more))
        return made[0]

    return same


class World:
    """What the servers of one schedule share: the machine's loop, clock, disk and keeper, and the buses."""

    def __init__(self, loop: VirtualLoop, disk: Disk, seed: int, config: Settings, *, hints_lost: float) -> None:
        self.loop = loop
        self.disk = disk
        self.config = config
        self.hints_lost = hints_lost
        self.rngs = {name: random.Random(f"{seed} {name}") for name in ("clock", "store", "keeper", "bus")}
        self.clock = JumpingClock(loop, self.rngs["clock"])
        self.keeper = Keeper(loop, self.clock, self.rngs["keeper"])
        self.vault = KeyFileVault.open_file(config.server.data_dir / "secret.key")
        self.buses: list[UnreliableBus] = []
        self.started = 0


class SimulatedServer:
    """One life of a server. `on_commit` is called behind each commit of its store."""

    def __init__(self, world: World, identity: str, on_commit: Callable[[SimulatedServer], None]) -> None:
        world.started += 1
        self.number = world.started
        self.identity = identity
        self.services: Services | None = None
        self.ready = False
        self._world = world
        self._on_commit = on_commit
        self._context = contextvars.copy_context()
        self._context.run(PROCESS.set, self.number)
        self.dead: asyncio.Future[None] = world.loop.create_future()

    def begin(self) -> None:
        """Starts the server."""
        self.do(self._run()).add_done_callback(self._stopped)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        """Notes why a server ended that nobody killed: a role of it let an error out."""
        error = None if task.cancelled() else task.exception()
        text = "".join(traceback.format_exception(error)) if error is not None else "cancelled"
        self._world.loop.errors.append(f"server {self.number} ended by itself: {text}")

    def do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs a coroutine as part of the server: it ends when the server is killed, without a trace."""
        return self._world.loop.create_task(work, context=self._context)

    def kill(self) -> None:
        """Kills the server: nothing of it runs again, not even what should run at its end."""
        if self.dead.done():
            return
        self._world.loop.end(self.number)
        if self._bus in self._world.buses:
            self._world.buses.remove(self._bus)
        self.dead.set_result(None)

    async def _committed(self) -> None:
        self._on_commit(self)
        if self.dead.done():
            # The commit stays, but nobody learns of it.
            await self._world.loop.create_future()

    async def _run(self) -> None:
        world = self._world
        out = self._outside()
        use = wiring.services(world.config, out, URL)
        worker = wiring.make_worker(world.config, out, use)
        early, claimers = wiring.roles(world.config, out, use, worker)
        self.services = use
        async with asyncio.TaskGroup() as group:
            await use.health.begun("keepers", out.start)
            self._start(group, early)
            await use.health.begun("settling", use.running.settle)
            await use.health.begun("leases", partial(self._free_leases, out))
            self._start(group, claimers)
            self.ready = True

    @staticmethod
    def _start(group: asyncio.TaskGroup, roles: list[Role]) -> None:
        for role in roles:
            group.create_task(role.run(), name=type(role).__name__)

    async def _free_leases(self, out: Outside) -> None:
        await out.store.tx(lambda tx: tx.queue.free(self.identity, AT_ONCE))

    def _outside(self) -> Outside:
        world = self._world
        launcher = SimulatedLauncher(world.keeper, world.loop, world.rngs["keeper"])
        store = MemoryStore(world.disk, world.rngs["store"], world.loop, self._committed)
        self._bus = UnreliableBus(world.loop, world.rngs["bus"], world.buses, lost=world.hints_lost)
        return Outside(
            identity=self.identity,
            store=store,
            bus=self._bus,
            clock=world.clock,
            vault=world.vault,
            journal=SimulatedJournal(world.keeper),
            archive=NoArchive(),
            launcher=launcher,
            lines=NoLines(),
            evaluator=NoEvaluations(),
            marks=NoMarks(),
            start=launcher.start,
            role=launcher,
            close=store.close,
        )
