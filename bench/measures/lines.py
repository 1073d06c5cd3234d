"""Finding something in a large output: counting its lines, opening it at one, searching it; the floor is `bytes.count`
and `bytes.find` on the same file in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.context import Bench, BrokenError, median
from bench.rows import Goal, Row
from squall.adapters.journal.lines.index import LineIndex
from squall.adapters.journal.lines.lookup import Lookup
from squall.adapters.journal.lines.search import compile_pattern, search
from squall.adapters.journal.sources import Sources
from squall.adapters.keeper.process.writing.writer import TreeWriter
from squall.core.output import journal

_TREE = "5f" * 12
_PIECE = 64 << 10
_NEEDLE = b"the needle 4711 is here\n"


def lines(bench: Bench) -> Iterator[Row]:
    """One output of 2 GB (128 MiB in a hurry)."""
    root = bench.folder("lines")
    size = bench.sized(2 << 30, 128 << 20)
    path = root / journal.file_name(_TREE)
    _write(path, size)
    with open(path, "rb") as file:
        data = file.read(256 << 20)
    floor = len(data) / _took(lambda: data.count(b"\n")) / 1e6
    source = Sources(root).open(_TREE)
    if source is None:
        raise BrokenError("the journal is not there")
    index = LineIndex(source, root / journal.lines_name(_TREE))
    counting = _took(lambda: index.catch_up(source.committed, lambda: True))
    index.keep()
    yield Row(
        "lines counted", "MiB/s", size / counting / (1 << 20), floor * 1e6 / (1 << 20), Goal(600, None), more=True
    )
    opened = [_open(root, part) for part in (0.01, 0.5, 0.99)]
    yield Row(f"open at a line of {size >> 20:,} MiB, counted before", "ms", median(opened), None, Goal(100, None))
    for name, pattern, goal in (("a text", "the needle", 300), ("a pattern", r"n[aeiou]+dle \d{4} is\b", 80)):
        found: list[int] = []

        def look(pattern: str = pattern, found: list[int] = found) -> None:
            lookup = Lookup(index, _TREE)
            expression = compile_pattern(pattern)
            hits = search(
                lookup, expression, start=1, stop=1 << 53, limit=10, streams=None, backwards=False, more=lambda: True
            )
            found += hits.numbers

        rate = size / _took(look) / 1e6
        if found != [Lookup(index, _TREE).last_line]:
            raise BrokenError(f"the search found {found}")
        theirs = len(data) / _took(lambda: data.find(_NEEDLE)) / 1e6
        yield Row(f"search for {name}", "MB/s", rate, theirs, Goal(goal, None), more=True)
    source.close()


def _write(path: Path, size: int) -> None:
    writer = TreeWriter.create(path, _TREE, bytes(16), 1)
    text = b"".join(
        b"%012d INFO a line of the usual length, with a number in it and some words, ok\n" % n for n in range(5000)
    )
    at = 0
    for number in range(size // _PIECE):
        piece = text[at : at + _PIECE]
        at = at + _PIECE if at + 2 * _PIECE <= len(text) else 0
        writer.output(_TREE, 1, 1_700_000_000_000_000 + number, piece)
    writer.output(_TREE, 1, 1_800_000_000_000_000, b"\n" + _NEEDLE)
    writer.abandon()


def _open(root: Path, part: float) -> float:
    """ms from nothing to ten lines: the journal is opened, what is known of its lines read, and the lines found."""
    began = time.perf_counter()
    source = Sources(root).open(_TREE)
    assert source is not None
    index = LineIndex(source, root / journal.lines_name(_TREE))
    index.catch_up(source.committed, lambda: True)
    lookup = Lookup(index, _TREE)
    first = max(1, int(lookup.last_line * part))
    found = [line for _, line in lookup.lines(first, first + 9, None, lambda: True).rows]
    took = (time.perf_counter() - began) * 1000
    source.close()
    if [line.number for line in found] != list(range(first, first + 10)):
        raise BrokenError("other lines came than were asked for")
    return took


def _took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
