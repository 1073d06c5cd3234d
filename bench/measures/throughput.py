"""How fast one action's output reaches one follower, in each form, every byte checked; and what memory that costs."""

from __future__ import annotations

from collections.abc import Iterator

from bench.context import Bench, median
from bench.followers import Drain
from bench.goals import EVENTS, THROUGHPUT
from bench.rows import Goal, Row
from bench.servers import Squall, Target, floor, squall

_LENGTH = 100


def sse(bench: Bench) -> Iterator[Row]:
    """JSON events, one for each chunk."""
    yield from _plain(bench, "sse", "SSE JSON")


def raw(bench: Bench) -> Iterator[Row]:
    """The bytes."""
    yield from _plain(bench, "raw", "raw")


def events(bench: Bench) -> Iterator[Row]:
    """StackStorm's events, one for each line."""
    lines = bench.sized(2_000_000, 300_000)
    with squall(bench) as ours, floor(bench) as theirs:
        squalls, floors = _rates(bench, "events", lines, ours, theirs)
        memory = _memory(ours, "StackStorm's events")
    name = f"{_megabytes(lines)} MB of {_LENGTH}-byte lines as StackStorm's events"
    for unit, must, scale in (("MiB/s", EVENTS[0], 1.0), ("1,000 lines/s", EVENTS[1], (1 << 20) / _LENGTH / 1000)):
        below = median([rate * scale for rate in floors])
        stretch = below / 2 if below is not None else None
        yield Row(name, unit, median([rate * scale for rate in squalls]), below, Goal(must, stretch), more=True)
    yield memory


def _plain(bench: Bench, form: str, name: str) -> Iterator[Row]:
    lines = bench.sized(2_000_000, 500_000)
    with squall(bench) as ours, floor(bench) as theirs:
        squalls, floors = _rates(bench, form, lines, ours, theirs)
        memory = _memory(ours, name)
    measure = f"{_megabytes(lines)} MB of {_LENGTH}-byte lines, {name}"
    yield Row(measure, "MiB/s", median(squalls), median(floors), THROUGHPUT[form], more=True)
    yield memory


def _rates(bench: Bench, form: str, lines: int, ours: Target, theirs: Target) -> tuple[list[float], list[float]]:
    with Drain(bench, lines, _LENGTH, form) as drain:
        return bench.in_turns(lambda: drain.run(ours).mib_per_second, lambda: drain.run(theirs).mib_per_second)


def _memory(server: Squall, name: str) -> Row:
    note = f"at its most {server.memory('VmHWM'):.0f} MB"
    return Row(f"resident memory after that ({name})", "MB", server.memory(), note=note)


def _megabytes(lines: int) -> int:
    return lines * _LENGTH // 1_000_000
