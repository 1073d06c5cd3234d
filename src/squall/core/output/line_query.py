"""What is asked and answered about lines of output: sums, pages, states, searches."""

from __future__ import annotations

import msgspec

from squall.core.output.lines import Line, LineCounter, Missing


class OutputSums(msgspec.Struct, frozen=True):
    """What one execution has printed: bytes and lines by stream number, how many `lines` in all, where its records
    begin and end (positions; 0: there are none), the times (µs) of the first and the last, the gaps, the bytes
    missing in them, and the lines behind which (the first hundred of) them are."""

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
    """What to look for: lines `start` to `stop` of an execution that match `pattern` (RE2; a plain text if `fixed`), at
    most `limit` of them, on these streams (by number; None: all). With `rows` all numbers are those of rows: lines as
    counted among those on the streams `counted` only."""

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
    """The numbers of the lines that were found, and the line to search on from (0: there are no more)."""

    numbers: list[int]
    resume: int


class LinePage(msgspec.Struct, frozen=True):
    """Some lines; `total` is how many there are, `last` the number up to which all that were wanted are given, and
    `position` up to where the journal has been looked at."""

    lines: list[Line]
    total: int
    last: int
    position: int


class RowPage(msgspec.Struct, frozen=True):
    """Some lines, each with its execution, as counted among those that were asked for: the first one is number `first`
    of `total`. `position` is up to where the journal has been looked at. `missing` is what was left out behind rows."""

    rows: list[tuple[str, Line]]
    first: int
    total: int
    position: int = 0
    missing: list[Missing] = []


class LineState(msgspec.Struct, frozen=True):
    """How far the lines of one execution go: how many have begun, which are open as (stream, tag, number), and what
    they hold so far."""

    lines: int
    open: tuple[tuple[int, str, int], ...]
    begun: list[Line]

    def counter(self) -> LineCounter:
        """A counter that goes on from here."""
        return LineCounter(self.lines, {(stream, tag): number for stream, tag, number in self.open})
