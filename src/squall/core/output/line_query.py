"""Queries for lines of output and their results: sums, pages, states, searches."""

from __future__ import annotations

import msgspec

from squall.core.output.lines import Line, LineCounter, Missing


class OutputSums(msgspec.Struct, frozen=True):
    """The sums of one execution's output: `lines` in all, bytes (`sizes`) and lines (`line_counts`) by stream number,
    the positions at which its records begin (`first`) and end (`last`; 0: it has none), the times (µs) of the first
    (`began`) and the last record (`time`), the number of `gaps`, the bytes `missing` in them, and the numbers of the
    lines behind which the first hundred gaps are (`places`)."""

    lines: int = 0
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    line_counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    first: int = 0
    last: int = 0
    began: int = 0
    time: int = 0
    gaps: int = 0
    missing: int = 0
    places: tuple[int, ...] = ()


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search for the lines `start` to `stop` of an execution that match `pattern` (RE2; a plain text if `fixed`), at
    most `limit` of them, on these `streams` (by number; None: all). If `rows`, all numbers are those of rows: only the
    lines on the streams `counted` count."""

    pattern: str
    fixed: bool = False
    ignore_case: bool = False
    start: int = 1
    stop: int = 1 << 62
    limit: int = 1000
    streams: tuple[int, ...] | None = None
    backwards: bool = False
    rows: bool = False
    counted: tuple[int, ...] | None = None


class Hits(msgspec.Struct, frozen=True):
    """The numbers of the lines that match, and the line to resume the search from (0: there are no more)."""

    numbers: list[int]
    resume: int


class LinePage(msgspec.Struct, frozen=True):
    """Some lines of an execution. `total` is the number of all its lines, `last` the number up to which the page has
    all requested lines, `position` the end of the records that were read."""

    lines: list[Line]
    total: int
    last: int
    position: int


class RowPage(msgspec.Struct, frozen=True):
    """Some lines, each with the id of its execution. Only the requested lines count: the first one is number `first` of
    `total`. `position` is the end of the records that were read. `missing` lists the output left out behind rows."""

    rows: list[tuple[str, Line]]
    first: int
    total: int
    position: int = 0
    missing: list[Missing] = []


class LineState(msgspec.Struct, frozen=True):
    """The state of one execution's lines: the number of `lines` begun, the `open` ones as (stream, tag, number), and
    their contents so far (`begun`)."""

    lines: int
    open: tuple[tuple[int, str, int], ...]
    begun: list[Line]

    def counter(self) -> LineCounter:
        """Returns a counter that continues from this state."""
        return LineCounter(self.lines, {(stream, tag): number for stream, tag, number in self.open})
