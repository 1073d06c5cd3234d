"""Printed to received: how long a line takes to one follower, to a hundred, and to a thousand."""

from __future__ import annotations

from collections.abc import Iterator

from bench.context import Bench, median
from bench.followers import Arrivals, watch_clock
from bench.goals import LATENCY
from bench.rows import Row
from bench.servers import Target, floor, squall

_RATE = 200


def alone(bench: Bench) -> Iterator[Row]:
    """One follower."""
    yield from _measure(bench, 1, bench.sized(4, 2))


def hundred(bench: Bench) -> Iterator[Row]:
    """A hundred followers of one output."""
    yield from _measure(bench, 100, bench.sized(3, 2))


def thousand(bench: Bench) -> Iterator[Row]:
    """A thousand: what they are behind leaves together."""
    yield from _measure(bench, 1000, bench.sized(3, 2))


def _measure(bench: Bench, followers: int, seconds: float) -> Iterator[Row]:
    with squall(bench) as ours, floor(bench) as theirs:

        def watch(target: Target) -> Arrivals:
            return watch_clock(bench, target, followers, _RATE, seconds)

        squalls, floors = bench.in_turns(lambda: watch(ours), lambda: watch(theirs))
    name = "1 follower" if followers == 1 else f"{followers:,} followers"
    p50, p99 = LATENCY[followers]
    for part, goal in (("p50", p50), ("p90", None), ("p99", p99)):
        yield Row(
            f"line printed → at an SSE client, {name}, {_RATE} lines/s, {part}",
            "ms",
            median([getattr(one, part) for one in squalls]),
            median([getattr(one, part) for one in floors]),
            goal,
        )
