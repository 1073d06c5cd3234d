"""The keeper of a simulated machine: scripted processes that print and end by themselves, whoever watches.

It keeps the promises of the real one: a launch is started once for each (execution, attempt) until its end is
acknowledged; its processes outlive servers; it reports an end when the output is stored; messages of one connection
arrive in order, late, and not at all if the server died before they left.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.simulation.loop import PROCESS, VirtualLoop
from tests.simulation.outside import JumpingClock

from squall.core.errors import UnavailableError
from squall.core.execution.process import End, LaunchSpec
from squall.core.output import journal as codec
from squall.core.output.journal import Record, ServerRecord

Key = tuple[str, int]
_KILL_AFTER = 3.0
_SCRIPT = re.compile(r"sim ([a-z0-9=.,]+)")


class Script(NamedTuple):
    """What a scripted process does: it prints `lines` lines in `life` seconds and exits with `exit`. A `stubborn` one
    ignores TERM."""

    lines: int = 1
    life: float = 0.1
    exit: int = 0
    stubborn: int = 0

    def command(self) -> str:
        """Returns the command line that stands for this script."""
        return f"sim lines={self.lines},life={self.life},exit={self.exit},stubborn={self.stubborn}"

    def printed(self) -> str:
        """Returns what the process prints if it is left alone."""
        return "".join(f"line {number} of it\n" for number in range(self.lines))


def _script(spec: LaunchSpec) -> Script:
    match = _SCRIPT.search(" ".join([*spec.argv, *spec.env.values()]))
    if match is None:
        raise AssertionError(f"no script in {spec.argv}")
    fields = dict(part.split("=") for part in match[1].split(","))
    return Script(int(fields["lines"]), float(fields["life"]), int(fields["exit"]), int(fields["stubborn"]))


class Process:
    """One launch: `end` is None while it runs. `printed` is what it printed so far, `timed_out` and `canceled` why it
    was told to stop."""

    def __init__(self, spec: LaunchSpec, script: Script, started: float) -> None:
        self.spec = spec
        self.started = started
        self.script = script
        self.printed = ""
        self.end: End | None = None
        self.timed_out = False
        self.canceled = False
        self.timers: list[asyncio.TimerHandle] = []


class Keeper:
    """The keeper, its run log and its journals. `starts` counts how often each attempt was started."""

    def __init__(self, loop: VirtualLoop, clock: JumpingClock, rng: random.Random) -> None:
        self._loop = loop
        self._clock = clock
        self._rng = rng
        self._outside = contextvars.Context()
        self._servers: list[SimulatedLauncher] = []
        self.processes: dict[Key, Process] = {}
        self.starts: Counter[Key] = Counter()
        self.journals: dict[str, list[Record]] = {}
        self.deaths = 0

    # -- connections

    def connect(self, launcher: SimulatedLauncher) -> None:
        """Adds a server, which learns of every end from now on."""
        self._servers = [other for other in self._servers if not self._loop.has_ended(other.process)]
        self._servers.append(launcher)

    def later(self, seconds: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        """Calls back in the world outside the servers."""
        return self._loop.call_later(seconds, callback, *args, context=self._outside)

    # -- what servers ask for

    def spawn(self, spec: LaunchSpec) -> None:
        """Starts the process of an attempt, unless it was started before."""
        key = (spec.execution, spec.attempt)
        if key in self.processes:
            return
        process = self.processes[key] = Process(spec, _script(spec), self._loop.time())
        self.starts[key] += 1
        if spec.opening:
            self._write(spec.tree, spec.execution, codec.STATUS, spec.opened, spec.opening, spec.opened_at)
        script = process.script
        for number in range(script.lines):
            at = script.life * (number + 0.5) / script.lines
            process.timers.append(self.later(at, self._print, process, f"line {number} of it\n"))
        process.timers.append(self.later(script.life, self._exit, process, script.exit))
        if spec.timeout is not None:
            process.timers.append(self.later(spec.timeout, self._time_out, process))

    def cancel(self, execution: str) -> None:
        """Ends the processes of an execution."""
        for (unit, _), process in self.processes.items():
            if unit == execution and process.end is None and not process.canceled:
                process.canceled = True
                self._stop(process)

    def acknowledge(self, execution: str, attempt: int) -> None:
        """Forgets an attempt that has ended."""
        process = self.processes.get((execution, attempt))
        if process is not None and process.end is not None:
            del self.processes[execution, attempt]

    def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends the records of a server that are not there yet."""
        if tree not in self.journals and not any(record.create for record in records):
            return False
        written = self.journals.setdefault(tree, [])
        for record in records:
            if not any(old.event == record.event and old.execution == record.execution for old in written):
                self._write(tree, record.execution, record.kind, record.event, record.payload, record.time)
        return True

    def die(self) -> None:
        """Kills the keeper. What runs is lost; ends that were logged stay known."""
        self.deaths += 1
        for process in list(self.processes.values()):
            if process.end is None:
                for timer in process.timers:
                    timer.cancel()
                self._ended(process, -1, lost="The keeper of the process died.")
        for launcher in list(self._servers):
            self.tell(launcher, launcher.disconnected)

    def lose_power(self) -> None:
        """The machine loses power: every process is gone."""
        self.die()
        self._servers.clear()

    def known(self) -> dict[Key, End | None]:
        """Returns the launches in the run log, and their ends."""
        return {key: process.end for key, process in self.processes.items()}

    # -- processes

    def _print(self, process: Process, text: str) -> None:
        process.printed += text
        spec = process.spec
        self._write(spec.tree, spec.execution, codec.OUTPUT, 0, text.encode(), self._clock.now(), stream=1)

    def _time_out(self, process: Process) -> None:
        if process.end is None:
            process.timed_out = True
            self._stop(process)

    def _stop(self, process: Process) -> None:
        delay = _KILL_AFTER if process.script.stubborn else self._rng.random() * 0.05
        process.timers.append(self.later(delay, self._exit, process, -15))

    def _exit(self, process: Process, code: int) -> None:
        if process.end is None:
            for timer in process.timers:
                timer.cancel()
            self._ended(process, code)

    def _ended(self, process: Process, code: int, lost: str | None = None) -> None:
        spec = process.spec
        own = [record.start for record in self.journals.get(spec.tree, ()) if record.execution == spec.execution]
        process.end = End(
            execution=spec.execution,
            attempt=spec.attempt,
            exit_code=code,
            timed_out=process.timed_out,
            canceled=process.canceled and not process.timed_out,
            stdout_bytes=len(process.printed),
            first_record=own[0] if own else 0,
            last_record=own[-1] if own else 0,
            lost=lost,
            wall_seconds=self._loop.time() - process.started,
            ended_at=self._clock.now(),
        )
        for launcher in list(self._servers):
            self.tell(launcher, launcher.heard, process.end)

    def tell(self, launcher: SimulatedLauncher, callback: Callable[..., Any], *args: Any) -> None:
        """Sends a message to a server."""
        if self._loop.has_ended(launcher.process):
            return
        launcher.inbound = max(launcher.inbound, self._loop.time() + self._rng.random() ** 3 * 0.2)
        self._loop.call_at(launcher.inbound, callback, *args, context=launcher.context)

    def _write(
        self, tree: str, execution: str, kind: int, event: int, payload: bytes, time: int, stream: int = 0
    ) -> None:
        records = self.journals.setdefault(tree, [])
        start = records[-1].end if records else codec.HEADER_SIZE
        end = start + 100 + len(payload)
        records.append(Record(start, end, kind, stream, execution, time, event, 0, 0, 0, b"", "", memoryview(payload)))


class SimulatedLauncher:
    """`ports.Launcher` of one server, connected to the keeper of the machine."""

    def __init__(self, keeper: Keeper, loop: VirtualLoop, rng: random.Random) -> None:
        self._keeper = keeper
        self._loop = loop
        self._rng = rng
        self.process = PROCESS.get()
        self.context = contextvars.copy_context()
        self.inbound = 0.0
        self._outbound = 0.0
        self._cut = False
        self._epoch = 0
        self._ends: dict[Key, asyncio.Future[End]] = {}
        self._canceled: set[str] = set()
        self._requests: list[asyncio.Future[Any]] = []

    # -- messages

    def _send(self, work: Callable[[], Any], reply: asyncio.Future[Any] | None = None) -> None:
        epoch = self._keeper.deaths

        def arrive() -> None:
            if self._cut or (self._loop.has_ended(self.process) and self._rng.random() < 0.5):
                # It had not left the server when this died; later ones had not either.
                self._cut = True
            elif self._keeper.deaths == epoch:
                result = work()
                if reply is not None:
                    self._keeper.tell(self, self._answer, reply, result)

        self._outbound = max(self._outbound, self._loop.time() + self._rng.random() ** 3 * 0.2)
        self._keeper.later(self._outbound - self._loop.time(), arrive)

    @staticmethod
    def _answer(reply: asyncio.Future[Any], result: Any) -> None:
        if not reply.done():
            reply.set_result(result)

    async def _ask(self, work: Callable[[], Any]) -> Any:
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._requests.append(reply)
        try:
            self._send(work, reply)
            return await reply
        finally:
            self._requests.remove(reply)

    def heard(self, end: End) -> None:
        """Takes the end of a process."""
        end_future = self._ends.get((end.execution, end.attempt))
        if end_future is not None and not end_future.done():
            end_future.set_result(end)

    def disconnected(self) -> None:
        """Fails what was asked of a keeper that died. What it had logged is known before."""
        for key, end in self._keeper.known().items():
            if end is not None and key in self._ends:
                self.heard(end)
        for reply in list(self._requests):
            if not reply.done():
                reply.set_exception(UnavailableError("The keeper died."))

    # -- the port

    async def start(self) -> None:
        """Takes up the launches of earlier servers."""
        await asyncio.sleep(self._rng.random() * 0.3)
        self._keeper.connect(self)
        for key, end in self._keeper.known().items():
            self._ends[key] = self._loop.create_future()
            if end is not None:
                self.heard(end)

    async def run(self) -> None:
        """Does nothing: the loop delivers the messages."""
        await asyncio.Event().wait()

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts a process; idempotent by (execution, attempt)."""
        key = (spec.execution, spec.attempt)
        if key in self._ends:
            return
        self._ends[key] = self._loop.create_future()
        while True:
            try:
                await self._ask(lambda: self._spawn(spec))
                break
            except UnavailableError:
                if self._ends[key].done():
                    break
                if spec.execution in self._canceled:
                    self.heard(End(execution=spec.execution, attempt=spec.attempt, exit_code=-1, canceled=True))
                    break
                await asyncio.sleep(0.5)
        if spec.execution in self._canceled:
            await self.cancel(spec.execution)

    def _spawn(self, spec: LaunchSpec) -> None:
        self._keeper.spawn(spec)
        process = self._keeper.processes[spec.execution, spec.attempt]
        if process.end is not None:
            # Another server's launch, which has ended already.
            self._keeper.tell(self, self.heard, process.end)

    async def ended(self, execution: str) -> End:
        """Waits for the end. Raises `KeyError` if there is no such launch."""
        attempt = max((attempt for unit, attempt in self._ends if unit == execution), default=None)
        if attempt is None:
            raise KeyError(execution)
        return await asyncio.shield(self._ends[execution, attempt])

    async def result(self, end: End) -> bytes:
        """Returns nothing: these processes write no result."""
        return b""

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks nothing: these processes know no secrets."""

    def waiting(self, execution: str) -> str:
        """Returns that nothing waits."""
        return ""

    async def acknowledge(self, execution: str) -> None:
        """Lets the keeper forget the end of an execution."""
        self._canceled.discard(execution)
        for key in [key for key in self._ends if key[0] == execution]:
            del self._ends[key]
            self._send(lambda attempt=key[1]: self._keeper.acknowledge(execution, attempt))  # type: ignore[misc]

    def held(self) -> Sequence[Key]:
        """Returns the launches that run or were not acknowledged."""
        return list(self._ends)

    async def cancel(self, execution: str) -> None:
        """Ends the processes of an execution, also of one whose start is on its way."""
        self._canceled.add(execution)
        if any(unit == execution for unit, _ in self._ends):
            self._send(lambda: self._keeper.cancel(execution))

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends records of the server."""
        return bool(await self._ask(lambda: self._keeper.append(tree, records)))

    async def close_tree(self, tree: str) -> None:
        """Closes a journal. A keeper that died writes to it no more."""
        try:
            await self._ask(lambda: None)
        except UnavailableError:
            return
