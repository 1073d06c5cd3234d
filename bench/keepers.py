"""A keeper without a server: what it does by itself is measured in its journal."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from bench.context import Bench, BrokenError
from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.core.execution.launch import LaunchSpec
from squall.core.output import journal as codec
from squall.core.output.journal import Record

T = TypeVar("T")
_READ = 4 << 20
_CLOCK = Path(__file__).with_name("programs") / "clock.py"


class Kept:
    """One keeper at work. `pid` is its process."""

    def __init__(self, launcher: KeeperLauncher, journals: FileJournal, clock: SystemClock, pid: int) -> None:
        self.launcher = launcher
        self.pid = pid
        self._journals = journals
        self._clock = clock

    async def begin(self, command: str, secrets: tuple[bytes, ...] = ()) -> str:
        """Starts a shell command; its execution."""
        execution = self._clock.new_id()
        argv = ["/bin/sh", "-c", command]
        env = {"PATH": os.environ["PATH"]}
        await self.launcher.spawn(
            LaunchSpec(execution=execution, tree=execution, attempt=1, argv=argv, env=env, secrets=secrets)
        )
        return execution

    async def end(self, execution: str) -> None:
        """Waits for its end and forgets it. Raises `BrokenError` when it failed."""
        end = await self.launcher.ended(execution)
        await self.launcher.acknowledge(execution)
        if end.exit_code and not end.canceled:
            raise BrokenError(f"a command ended with {end.exit_code}: {end.error}")

    async def records(self, execution: str) -> list[Record]:
        """Its output records; the payloads are views of what was read."""
        found: list[Record] = []
        position = 0
        with self._journals.watch(execution):
            while (batch := await self._journals.read(execution, position, _READ)).position != position:
                found += [record for record in batch.records if record.kind == codec.OUTPUT]
                position = batch.position
        await self.launcher.close_tree(execution)
        return found


def with_keeper(bench: Bench, work: Callable[[Kept], Awaitable[T]]) -> T:
    """Runs `work` with a new keeper, which is gone afterwards."""

    async def run() -> T:
        home = bench.folder("keeper")
        (home / "journals").mkdir()
        clock = SystemClock()
        made = KeeperLauncher(home / "keepers", home / "journals", clock, floor=1 << 20, fsync_seconds=1.0)
        files = FileJournal(home / "journals")
        await made.start()
        pid = _keeper_of(home)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(made.run())
            try:
                return await work(Kept(made, files, clock, pid))
            finally:
                listening.cancel()
                files.close()
                os.kill(pid, signal.SIGKILL)

    return asyncio.run(run())


def _keeper_of(home: Path) -> int:
    [place] = (home / "keepers").iterdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(place / "socket"))
        return int(struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def clock_command(lines: int, rate: int) -> str:
    """The command that prints lines with the time in them."""
    return "exec " + shlex.join([sys.executable, "-I", "-S", str(_CLOCK), str(lines), str(rate)])


def delays(pieces: list[tuple[float, bytes]], lines: int) -> list[float]:
    """How many ms after it was printed each line was there, from when (CLOCK_MONOTONIC, s) which bytes came.

    The first fifth is left out: nothing is warm yet. Raises `BrokenError` when lines are missing.
    """
    found: list[float] = []
    for at, data in pieces:
        for line in data.splitlines():
            number, printed, *_ = line.split()
            if int(number) != len(found):
                raise BrokenError(f"line {len(found)} is missing")
            found.append(at * 1000 - int(printed) / 1e6)
    if len(found) != lines:
        raise BrokenError(f"{len(found)} lines of {lines}")
    return found[lines // 5 :]


def monotonic_of(record: Record) -> float:
    """When a record was written, on the clock that only goes forward."""
    return record.time / 1e6 - (time.time() - time.monotonic())
