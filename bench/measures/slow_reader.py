"""What a follower that reads 1 KiB a second costs: the server memory, and a fast follower beside it speed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.context import Bench, median
from bench.followers import Drain, await_ready, begin, gate, program
from bench.rows import Row
from bench.servers import FIREHOSE, Target, floor, open_gate, squall

_LENGTH = 100
_SLOWLY = 1024
_FORM = "sse"


class _Beside(NamedTuple):
    """MiB/s of a fast follower alone and with a slow one beside it; MB the server has grown by with the slow one."""

    alone: float
    accompanied: float
    growth: float


def slow_reader(bench: Bench) -> Iterator[Row]:
    """One fast and one slow follower of one output."""
    lines = bench.sized(2_000_000, 500_000)
    with Drain(bench, lines, _LENGTH, _FORM) as drain, squall(bench) as ours, floor(bench) as theirs:
        squalls, floors = bench.in_turns(
            lambda: _one(bench, drain, ours, lines), lambda: _one(bench, drain, theirs, lines)
        )
    yield Row(
        "fast follower beside one that reads 1 KiB/s, SSE JSON",
        "MiB/s",
        median([one.accompanied for one in squalls]),
        median([one.accompanied for one in floors]),
        more=True,
    )
    yield Row(
        "its speed with the slow one beside it, of its speed alone",
        "%",
        median([100 * one.accompanied / one.alone for one in squalls]),
        median([100 * one.accompanied / one.alone for one in floors]),
        more=True,
    )
    yield Row(
        "memory the server has grown by with the slow one still there",
        "MB",
        median([one.growth for one in squalls]),
        median([one.growth for one in floors]),
    )


def _one(bench: Bench, drain: Drain, target: Target, lines: int) -> _Beside:
    # The first run fills caches and pools, so that what grows afterwards is the slow reader's.
    alone = _run(bench, drain, target, lines, slow=False)[0]
    before = target.memory()
    accompanied, after = _run(bench, drain, target, lines, slow=True)
    return _Beside(alone, accompanied, after - before)


def _run(bench: Bench, drain: Drain, target: Target, lines: int, *, slow: bool) -> tuple[float, float]:
    """MiB/s of the fast follower, and the server's memory at its end, when the slow one is still reading."""
    bench.warm()
    waiting = gate(bench)
    execution = begin(target, target.command(f"cat {waiting} && exec {FIREHOSE} --lines={lines} --bytes={_LENGTH}"))
    drain.attach(target, execution)
    path = target.output(_FORM).replace("{id}", execution)
    follower = program("slow", str(target.port), path, str(_SLOWLY)) if slow else None
    try:
        if follower is not None:
            await_ready(follower)
        open_gate(waiting)
        return drain.result().mib_per_second, target.memory()
    finally:
        if follower is not None:
            follower.kill()
            follower.communicate()
