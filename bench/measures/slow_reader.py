"""What a follower that reads 1 KiB a second costs: the server memory, and a fast follower beside it speed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from bench.context import Bench, median
from bench.followers import answer, await_ready, begin, drain_spec, drained, gate, program
from bench.rows import Row
from bench.servers import FIREHOSE, Target, floor, open_gate, squall

_LENGTH = 100
_SLOWLY = 1024


class _Beside(NamedTuple):
    """MiB/s of a fast follower alone and with a slow one beside it; MB the server has grown by with the slow one."""

    alone: float
    accompanied: float
    growth: float


def slow_reader(bench: Bench) -> Iterator[Row]:
    """One fast and one slow follower of one output."""
    lines = bench.sized(2_000_000, 500_000)
    with squall(bench) as ours, floor(bench) as theirs:
        squalls, floors = bench.in_turns(lambda: _one(bench, ours, lines), lambda: _one(bench, theirs, lines))
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


def _one(bench: Bench, target: Target, lines: int) -> _Beside:
    # The first run fills caches and pools, so that what grows afterwards is the slow reader's.
    alone = _run(bench, target, lines, slow=False)[0]
    before = target.memory()
    accompanied, after = _run(bench, target, lines, slow=True)
    return _Beside(alone, accompanied, after - before)


def _run(bench: Bench, target: Target, lines: int, *, slow: bool) -> tuple[float, float]:
    """MiB/s of the fast follower, and the server's memory at its end, when the slow one is still reading."""
    waiting = gate(bench)
    execution = begin(target, target.command(f"cat {waiting} && exec {FIREHOSE} --lines={lines} --bytes={_LENGTH}"))
    spec = drain_spec(target, "sse", lines, _LENGTH)
    spec["path"] = spec["path"].replace("{id}", execution)
    followers = [program("drain", json.dumps(spec))]
    if slow:
        followers.append(program("slow", str(target.port), spec["path"], str(_SLOWLY)))
    try:
        for follower in followers:
            await_ready(follower)
        open_gate(waiting)
        found = drained(answer(followers[0]), lines, _LENGTH)
        return found.mib_per_second, target.memory()
    finally:
        for follower in followers:
            follower.kill()
            follower.communicate()
