"""How long the server takes to its first answer, what memory it holds when idle, and how long a command takes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.context import Bench, median
from bench.goals import CLI, MEMORY, START
from bench.rows import Row
from bench.servers import Server, environment, start_floor, start_squall

_SETTLE = 0.3
_COMMANDS = ("--help", "version")


def start(bench: Bench) -> Iterator[Row]:
    """Spawn to the first answer on /healthz, and memory a moment later."""
    again = bench.folder("again")
    start_squall(again).stop()

    def watch(server: Server) -> tuple[float, float, float]:
        time.sleep(_SETTLE)
        found = server.started, server.memory(), server.memory("Pss")
        server.stop()
        return found

    rounds = bench.sized(5, 3)
    fresh, floors = bench.in_turns(
        lambda: watch(start_squall(bench.folder("fresh"), bench.profile)),
        lambda: watch(start_floor(bench.folder("floor"))),
        rounds,
    )
    seconds = median([one[0] for one in floors])
    yield Row("start to the first answer, new data directory", "s", median([one[0] for one in fresh]), seconds, START)
    if bench.profile is None:
        old = [watch(start_squall(again))[0] for _ in range(rounds)]
        yield Row("start to the first answer, same directory again", "s", median(old), seconds, START)
    note = f"PSS {median([one[2] for one in fresh]):.0f} MB" if all(one[2] for one in fresh) else ""
    yield Row(
        "resident memory, idle", "MB", median([one[1] for one in fresh]), median([one[1] for one in floors]), MEMORY,
        note=note,
    )  # fmt: skip


def cli(bench: Bench) -> Iterator[Row]:
    """Commands that ask no server, beside a bare interpreter."""
    squall = str(Path(sys.executable).with_name("squall"))
    bare = [sys.executable, "-I", "-S", "-E", "-c", "pass"]
    for command in _COMMANDS:
        _run([squall, command])
        squalls, floors = bench.in_turns(partial(_run, [squall, command]), partial(_run, bare), bench.sized(20, 10))
        yield Row(f"squall {command}, whole run", "ms", median(squalls), median(floors), CLI)


def _run(argv: list[str]) -> float:
    """Milliseconds a command takes."""
    began = time.monotonic()
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment(), check=True)
    return (time.monotonic() - began) * 1000
