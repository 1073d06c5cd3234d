"""Executions that wait: what they cost until their time comes, and how fast and in how much memory they run then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench.context import Bench, BrokenError
from bench.goals import BACKLOG, IDLE_QUEUE, RATE
from bench.measures.executions import succeeded
from bench.rows import Row
from bench.servers import Squall, squall
from bench.wire import Connection, post_many

_CONNECTIONS = 8
_CHUNK = 250
_PATIENCE = 120.0
_TICKS = 100
_AHEAD = 3.0


def backlog(bench: Bench) -> Iterator[Row]:
    """Requests many executions for one moment, watches them wait, and then watches them run."""
    count = bench.sized(10_000, 1_000)
    with squall(bench) as server:
        connection = Connection(server.port)
        before = succeeded(connection, "core.noop")
        due = _queue(server, count, seconds=count / 400 + _AHEAD)
        waiting = due - time.monotonic()
        if waiting < 1:
            raise BrokenError(f"requesting {count} executions took until they were due")
        busy = processor_seconds(server.pid)
        time.sleep(waiting - 0.5)
        share = (processor_seconds(server.pid) - busy) / (waiting - 0.5) * 100
        held = most = server.memory()
        while (done := succeeded(connection, "core.noop") - before) < count:
            if time.monotonic() - due > _PATIENCE:
                raise BrokenError(f"{done} of {count} executions had succeeded after {_PATIENCE:.0f} s")
            most = max(most, server.memory())
            time.sleep(0.05)
        took = time.monotonic() - due
        connection.close()
    yield Row(f"processor of the server while {count:,} executions wait for their time", "%", share, goal=IDLE_QUEUE)
    yield Row(
        f"{count:,} queued executions, core.noop, drained", "1/s", count / took, goal=RATE["core.noop"], more=True
    )
    yield Row(f"growth of the server while {count:,} executions are drained", "MB", most - held, goal=BACKLOG)


def _queue(server: Squall, count: int, seconds: float) -> float:
    """Requests `count` executions that are all due in `seconds`; gives when that is, by the monotonic clock."""
    due = time.monotonic() + seconds
    for at in range(0, count, _CHUNK):
        delay = max(1, int((due - time.monotonic()) * 1000))
        body = {"action": "core.noop", "delay": delay}
        post_many(server.port, "/v1/executions", body, min(_CHUNK, count - at), _CONNECTIONS)
    return due


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
