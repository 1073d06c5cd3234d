"""One schedule: a seed decides the work, the faults, and the order of everything. `run` returns what happened."""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from tests.simulation.checks import check
from tests.simulation.happenings import Sent, random_event, send, write_rules
from tests.simulation.loop import EndlessError, VirtualLoop
from tests.simulation.pack import Piece, random_piece, write_pack
from tests.simulation.server import LEASE, SimulatedServer, World, settings, shared_parts
from tests.simulation.store import Disk, empty_database

from squall.core.errors import SquallError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.services.execution.executions import Request

FAULTS = 18.0
"""The seconds of virtual time in which faults happen."""
_PATIENCE = 600.0


class Plan(NamedTuple):
    """The faults of a schedule. Numbers are how many of them happen; `errors` and `hints_lost` are shares."""

    shuffled: bool
    servers: int
    kills: int
    at_commits: int
    pauses: int
    jumps: int
    keeper_deaths: int
    power_losses: int
    cancels: int
    rests: int
    errors: float
    hints_lost: float
    poll: float
    pieces: int
    events: int


def plan(rng: random.Random) -> Plan:
    """Returns the faults of a schedule; many have only a few kinds."""

    def some(most: int, share: float = 0.4) -> int:
        return rng.randrange(1, most + 1) if rng.random() < share else 0

    return Plan(
        shuffled=rng.random() < 0.5,
        servers=1 if rng.random() < 0.75 else 2,
        kills=some(3),
        at_commits=some(4),
        pauses=some(2, 0.25),
        jumps=some(2, 0.25),
        keeper_deaths=some(1, 0.12),
        power_losses=some(1, 0.12),
        cancels=some(3),
        rests=some(3),
        errors=rng.choice((0.0, 0.0, 0.0, 0.02, 0.1)),
        hints_lost=rng.choice((0.0, 0.0, 0.3, 1.0)),
        poll=rng.choice((0.5, 1.0, 3.0)),
        pieces=rng.randrange(1, 5),
        events=some(16, 0.5),
    )


class Accepted(NamedTuple):
    """Work that a client has requested. `execution` is the answer; None if the server died before it answered."""

    piece: Piece
    execution: Execution | None


class History:
    """What clients and faults did in a schedule. `disturbed` are executions whose outcome the model cannot tell."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.sent: list[Sent] = []
        self.refused = 0
        self.canceled: list[str] = []
        self.disturbed: set[str] = set()
        self.lossy = False
        self.counts: Counter[str] = Counter()


class Report(NamedTuple):
    """The result of a schedule: what was wrong, a hash of all that happened, and counts of it."""

    seed: int
    complaints: list[str]
    trace: str
    counts: Counter[str]
    plan: Plan


class Ground:
    """What all schedules of a process share: the folder of packs, and the database in which they are registered."""

    def __init__(self, home: Path) -> None:
        self.home = home
        write_pack(home / "extra")
        write_rules(home / "extra/sim")
        self.image = self._registered()

    def _registered(self) -> bytes:
        rng = random.Random(0)
        loop = VirtualLoop(rng, shuffled=False)
        world = World(loop, Disk(empty_database()), 0, settings(self.home, 1.0), hints_lost=0.0)
        server = SimulatedServer(world, "template", lambda _server: None)
        server.begin()

        async def register() -> None:
            while not server.ready:
                assert not loop.errors, loop.errors
                await asyncio.sleep(0.1)
            assert server.services is not None
            done = server.do(_register(server))
            await done
            server.kill()

        loop.run_until_complete(register())
        loop.close()
        return world.disk.connection.serialize("main")


async def _register(server: SimulatedServer) -> None:
    assert server.services is not None
    registered = await server.services.registration.register()
    assert not registered.unread, registered.unread
    assert not registered.faults, registered.faults


@contextmanager
def ground() -> Iterator[Ground]:
    """Yields the ground of schedules, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="squall-simulation-") as folder, shared_parts():
        yield Ground(Path(folder))


class Schedule:
    """The run of one seed."""

    def __init__(self, seed: int, on: Ground) -> None:
        self._rng = random.Random(f"{seed} plan")
        self.plan = plan(self._rng)
        self.loop = VirtualLoop(random.Random(f"{seed} loop"), shuffled=self.plan.shuffled)
        disk = Disk(on.image, loses_power=self.plan.power_losses > 0)
        self.world = World(self.loop, disk, seed, settings(on.home, self.plan.poll), hints_lost=self.plan.hints_lost)
        self.history = History()
        self._servers: list[SimulatedServer] = []
        at = sorted(self._rng.randrange(5, 150) for _ in range(self.plan.at_commits))
        self._at_commits = [(commit, self._rng.choice(("kill", "kill", "pause", "jump"))) for commit in at]
        self._faulty = True

    async def run(self) -> list[str]:
        """Runs the schedule. Returns what is wrong at its end."""
        for number in range(self.plan.servers):
            self._boot(f"server-{number}")
        self.world.disk.errors = self.plan.errors
        outside = [self.loop.create_task(self._client()) for _ in range(self.plan.pieces)]
        outside += [self.loop.create_task(self._sender(number)) for number in range(self.plan.events)]
        outside += [self.loop.create_task(work) for work in self._faults()]
        await asyncio.gather(*outside)
        self._faulty = False
        self.world.disk.errors = 0.0
        await self._finished()
        return self.loop.errors + check(self.world, self.history, self.plan)

    async def _finished(self) -> None:
        until = self.loop.time() + _PATIENCE
        while self.loop.time() < until:
            await asyncio.sleep(1.0)
            if self.world.disk.unit(_idle, write=False, durable=False):
                return
            await self._resume_resting()

    # -- servers

    def _boot(self, identity: str) -> SimulatedServer:
        server = SimulatedServer(self.world, identity, self._committed)
        self._servers = [other for other in self._servers if other.identity != identity] + [server]
        server.begin()
        return server

    def _committed(self, server: SimulatedServer) -> None:
        """Lets a fault happen between a commit and its caller."""
        if not self._faulty or not self._at_commits or self.world.disk.commits < self._at_commits[0][0]:
            return
        _, fault = self._at_commits.pop(0)
        self.history.counts[f"{fault} behind a commit"] += 1
        if fault == "kill":
            self._restart(server)
        elif fault == "pause":
            self.loop.pause(server.number)
            self.world.keeper.later(self._rng.choice((0.5, LEASE * 1.5)), self.loop.resume, server.number)
        else:
            self.world.clock.offset += self._rng.choice((-LEASE, LEASE * 1.5))

    def _restart(self, server: SimulatedServer) -> None:
        server.kill()
        self.world.keeper.later(self._rng.random() * 2, self._boot, server.identity)

    async def _ready(self) -> SimulatedServer:
        while True:
            servers = [server for server in self._servers if server.ready and not server.dead.done()]
            if servers:
                return self._rng.choice(servers)
            await asyncio.sleep(0.2)

    # -- clients

    async def _client(self) -> None:
        await asyncio.sleep(self._rng.random() ** 2 * FAULTS * 0.6)
        piece = random_piece(self._rng)
        server = await self._ready()
        answers: list[Execution] = []

        async def request() -> None:
            assert server.services is not None
            delay = self._rng.choice((None, None, None, 500))
            try:
                answers.append(
                    await server.services.executions.request(
                        Request(action=piece.action, parameters=piece.parameters, user="ada", delay=delay)
                    )
                )
            except SquallError:
                self.history.refused += 1

        task = server.do(request())
        await asyncio.wait((task, server.dead), return_when=asyncio.FIRST_COMPLETED)
        if answers or not task.done():
            self.history.accepted.append(Accepted(piece, answers[0] if answers else None))

    async def _sender(self, number: int) -> None:
        """Sends an event. With a source, it is sent again until a server answers."""
        await asyncio.sleep(self._rng.choice((1.0, 2.0)))
        event = random_event(self._rng, number)
        answers: list[str] = []
        while not answers:
            server = await self._ready()
            task = server.do(send(server.services, event, answers))
            await asyncio.wait((task, server.dead), return_when=asyncio.FIRST_COMPLETED)
            if event.source is None:
                break
            await asyncio.sleep(0.1)
        self.history.counts["events"] += 1
        self.history.sent.append(Sent(event, answers[0] if answers else None))

    async def _meddle(self, what: str) -> None:
        await asyncio.sleep(self._rng.random() * FAULTS)
        server = await self._ready()

        async def meddle() -> None:
            assert server.services is not None
            open_ones = self.world.disk.unit(_unfinished, write=False, durable=False)
            if not open_ones:
                return
            chosen = self._rng.choice(open_ones)
            try:
                if what == "cancel":
                    self.history.disturbed.add(chosen.tree)
                    await server.services.control.cancel(chosen.id, "eve")
                    self.history.canceled.append(chosen.id)
                else:
                    await server.services.control.update(chosen.tree, ex.PAUSING, "eve")
                self.history.counts[what] += 1
            except SquallError:
                self.history.counts[f"{what} refused"] += 1

        task = server.do(meddle())
        await asyncio.wait((task, server.dead), return_when=asyncio.FIRST_COMPLETED)

    async def _resume_resting(self) -> None:
        """Resumes what rests, as people do who find it resting."""
        for execution in self.world.disk.unit(_unfinished, write=False, durable=False):
            if execution.status in (ex.PAUSED, ex.PAUSING) and "paused_by" in execution.context:
                server = await self._ready()
                task = server.do(self._resume(server, execution))
                await asyncio.wait((task, server.dead), return_when=asyncio.FIRST_COMPLETED)

    async def _resume_some(self) -> None:
        for _ in range(8):
            await asyncio.sleep(2.0)
            await self._resume_resting()

    async def _resume(self, server: SimulatedServer, execution: Execution) -> None:
        assert server.services is not None
        try:
            await server.services.control.update(execution.id, ex.RESUMING, "eve")
        except SquallError:
            self.history.counts["resume refused"] += 1

    # -- faults

    def _faults(self) -> Iterator[Coroutine[Any, Any, None]]:
        for count, fault in (
            (self.plan.kills, self._kill),
            (self.plan.pauses, self._pause),
            (self.plan.jumps, self._jump),
            (self.plan.keeper_deaths, self._kill_keeper),
            (self.plan.power_losses, self._cut_power),
        ):
            for _ in range(count):
                yield fault()
        for _ in range(self.plan.cancels):
            yield self._meddle("cancel")
        for _ in range(self.plan.rests):
            yield self._meddle("pause")
        if self.plan.rests:
            yield self._resume_some()

    async def _kill(self) -> None:
        await asyncio.sleep(self._rng.random() * FAULTS)
        server = self._rng.choice(self._servers)
        if not server.dead.done():
            self.history.counts["kills"] += 1
            self._restart(server)

    async def _pause(self) -> None:
        await asyncio.sleep(self._rng.random() * FAULTS)
        server = self._rng.choice(self._servers)
        self.history.counts["pauses"] += 1
        self.loop.pause(server.number)
        await asyncio.sleep(self._rng.choice((0.5, 5.0, 15.0)))
        self.loop.resume(server.number)

    async def _jump(self) -> None:
        await asyncio.sleep(self._rng.random() * FAULTS)
        self.history.counts["jumps"] += 1
        self.world.clock.offset += self._rng.choice((-30.0, -1.0, 1.0, 20.0, 90.0))

    async def _kill_keeper(self) -> None:
        await asyncio.sleep(self._rng.random() * FAULTS)
        self.history.counts["deaths of the keeper"] += 1
        self.history.lossy = True
        self.world.keeper.die()

    async def _cut_power(self) -> None:
        await asyncio.sleep(self._rng.random() * FAULTS)
        self.history.counts["losses of power"] += 1
        self.history.lossy = True
        for server in list(self._servers):
            if not server.dead.done():
                self._restart(server)
        self.world.keeper.lose_power()
        self.world.disk.lose_power(self._rng)


async def _unfinished(tx: object) -> list[Execution]:
    tables: Any = tx
    rows = [await tables.executions.get(key, False) for key in await tables.executions.unfinished(None)]
    return sorted((row for row in rows if row is not None), key=lambda row: row.id)


async def _idle(tx: object) -> bool:
    tables: Any = tx
    return not await tables.executions.unfinished(None) and not await tables.queue.depths()


def run(seed: int, on: Ground) -> Report:
    """Runs the schedule of a seed."""
    schedule = Schedule(seed, on)
    try:
        complaints = schedule.loop.run_until_complete(schedule.run())
    except EndlessError as error:
        complaints = [str(error)]
    trace = _trace(schedule)
    schedule.loop.close()
    counts = schedule.history.counts
    counts["virtual seconds"] = int(schedule.loop.time() - 1000)
    counts["turns"] = schedule.loop.turns
    return Report(seed, complaints, trace, counts, schedule.plan)


def _trace(schedule: Schedule) -> str:
    """Returns a hash of every event of the database, with its time, and of every record of the journals."""
    events = schedule.world.disk.connection.execute("SELECT * FROM events ORDER BY 1").fetchall()
    digest = hashlib.sha256(repr(events).encode())
    for tree, records in schedule.world.keeper.journals.items():
        digest.update(tree.encode())
        digest.update(repr([(record[:11], bytes(record.payload)) for record in records]).encode())
    digest.update(msgspec.json.encode([schedule.loop.time(), schedule.loop.turns]))
    return digest.hexdigest()
