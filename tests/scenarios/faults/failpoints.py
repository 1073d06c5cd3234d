"""A server whose processes die at named points, and whose clock jumps: `failpoints.py serve …` is `squall serve …`.

Squall knows nothing of it: functions are wrapped when the server starts, and in every keeper that it starts. Where the
file that FAILPOINT names holds a point's name, the process that reaches the point removes the file and is killed.
The file that CLOCK_OFFSET names holds the seconds by which the clock of both is ahead.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

FAILPOINT = "FAULT_TEST_FAILPOINT"
CLOCK_OFFSET = "FAULT_TEST_CLOCK_OFFSET"
KEEPER = "squall.adapters.keeper"
RULES = "squall.services.event.rules"
TRIGGERS = "squall.services.event.triggers"


class Point(NamedTuple):
    """Where a process dies: before or after a call, if what it is called with fits."""

    module: str
    name: str
    after: bool
    fits: Callable[[tuple[Any, ...]], bool] = lambda arguments: True


def _message(kind: str) -> Callable[[tuple[Any, ...]], bool]:
    return lambda arguments: type(arguments[1]).__name__ == kind


SERVER = {
    "spawn is about to be asked": Point(f"{KEEPER}.server.link", "Link.ask", False, _message("Spawn")),
    "spawn was acknowledged": Point(f"{KEEPER}.server.link", "Link.ask", True, _message("Spawn")),
    "the finishing transaction is about to begin": Point("squall.services.execution.claims", "Claims.finish", False),
    "the finishing transaction was committed": Point("squall.services.execution.claims", "Claims.finish", True),
    "the end is about to be acknowledged": Point(f"{KEEPER}.server.remote", "KeeperLauncher.acknowledge", False),
    "the end was acknowledged": Point(f"{KEEPER}.server.remote", "KeeperLauncher.acknowledge", True),
    "the status record is about to be appended": Point(f"{KEEPER}.server.remote", "KeeperLauncher.append", False),
    "the status record was appended": Point(f"{KEEPER}.server.remote", "KeeperLauncher.append", True),
    "the journal was closed": Point(f"{KEEPER}.server.remote", "KeeperLauncher.close_tree", True),
}
EVENTS = {
    "the event is about to be stored": Point(f"{TRIGGERS}.dispatching", "Dispatching.dispatch", False),
    "the event was stored": Point(f"{TRIGGERS}.dispatching", "Dispatching.dispatch", True),
    "events were claimed": Point(f"{RULES}.evaluation", "Evaluation.advance", True),
    "the decision is about to be made": Point(f"{RULES}.deciding", "Deciding.decide", False),
    "the decision was made": Point(f"{RULES}.deciding", "Deciding.decide", True),
    "the decision is about to be written": Point(f"{RULES}.enforcing", "Enforcing.write", False),
    "an enforcement is written": Point(f"{RULES}.enforcing", "Enforcing.enforce", True),
    "the decision was written": Point(f"{RULES}.enforcing", "Enforcing.write", True),
}
KEEPERS = {
    "start is about to be logged": Point(f"{KEEPER}.runlog", "RunLog.start", False),
    "start was logged": Point(f"{KEEPER}.runlog", "RunLog.start", True),
    "the process was made": Point(f"{KEEPER}.process.starting", "start", True),
    "pid was logged": Point(f"{KEEPER}.runlog", "RunLog.pid", True),
    "output was read": Point(f"{KEEPER}.process.writing.writer", "TreeWriter.output", False),
    "a frame was written and not committed": Point("os", "pwrite", False, lambda arguments: arguments[2] == 64),
    "output was committed": Point(f"{KEEPER}.process.writing.writer", "TreeWriter.output", True),
    "fsync is about to be called": Point(f"{KEEPER}.process.writing.writer", "TreeWriter.flush", False),
    "fsync was called": Point(f"{KEEPER}.process.writing.writer", "TreeWriter.flush", True),
    "the end is about to be logged": Point(f"{KEEPER}.runlog", "RunLog.end", False),
    "the end was logged": Point(f"{KEEPER}.runlog", "RunLog.end", True),
    "the end is about to be told": Point(f"{KEEPER}.process.keeper", "_Link.send", False, _message("End")),
    "the end was told": Point(f"{KEEPER}.process.keeper", "_Link.send", True, _message("End")),
}


def _reached(point: str) -> None:
    armed = Path(os.environ[FAILPOINT])
    try:
        if armed.read_text() != point:
            return
        armed.unlink()
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap(name: str, point: Point) -> None:
    holder: Any = importlib.import_module(point.module)
    *path, last = point.name.split(".")
    for part in path:
        holder = getattr(holder, part)
    real = getattr(holder, last)
    if inspect.iscoroutinefunction(real):

        @functools.wraps(real)
        async def waits(*arguments: Any, **named: Any) -> Any:
            fits = point.fits(arguments)
            if fits and not point.after:
                _reached(name)
            found = await real(*arguments, **named)
            if fits and point.after:
                _reached(name)
            return found

        setattr(holder, last, waits)
        return

    @functools.wraps(real)
    def calls(*arguments: Any, **named: Any) -> Any:
        fits = point.fits(arguments)
        if fits and not point.after:
            _reached(name)
        found = real(*arguments, **named)
        if fits and point.after:
            _reached(name)
        return found

    setattr(holder, last, calls)


def _set_clock() -> None:
    offset = Path(os.environ[CLOCK_OFFSET])
    real, real_ns = time.time, time.time_ns

    def ahead() -> int:
        try:
            return int(offset.read_text() or 0)
        except OSError:
            return 0

    time.time = lambda: real() + ahead()
    time.time_ns = lambda: real_ns() + ahead() * 1_000_000_000


def prepare(points: dict[str, Point]) -> None:
    """Wraps what the environment asks for."""
    if FAILPOINT in os.environ:
        for name, point in points.items():
            _wrap(name, point)
    if CLOCK_OFFSET in os.environ:
        _set_clock()


def main() -> None:
    """Runs `squall` with what was given, and has its keepers run this file first."""
    from squall.adapters.keeper.server import pool

    start = "from squall.adapters.keeper.process.keeper import main"
    assert start in pool._PROGRAM
    # A keeper gets nothing of the server's environment that is not listed.
    named = {name: os.environ[name] for name in (FAILPOINT, CLOCK_OFFSET) if name in os.environ}
    this = f"import os, runpy; os.environ.update({named!r}); "
    this += f"f = runpy.run_path({__file__!r}); f['prepare'](f['KEEPERS']); {start}"
    pool._PROGRAM = pool._PROGRAM.replace(start, this)
    prepare(SERVER | EVENTS)
    from squall.__main__ import main as squall

    sys.exit(squall())


if __name__ == "__main__":
    main()
