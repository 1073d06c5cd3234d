"""Finds lines and bytes of one execution by its index: only the records around them are read, wherever they are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from typing import NamedTuple

from squall.adapters.journal.lines.index import Mark
from squall.adapters.journal.lines.segments import Segments
from squall.core.output import journal
from squall.core.output.lines import Assembler, Line, LineCounter, Missing, count_record

_READ_TO_CUT = 64 << 20
"""Bytes that are read at most for one answer that has only the beginnings of lines."""

MOST_BEHIND = 4 << 20
"""Bytes of an execution that are read at most behind what was asked for, to find the ends of lines that are open."""


class Numbered(NamedTuple):
    """Lines by number, each with its execution; with them all that are wanted up to number `last` have been given,
    and what was left out behind them."""

    rows: list[tuple[str, Line]]
    last: int
    missing: list[Missing]


def _in_time(wanted: Assembler, first: int, last: int) -> Numbered:
    """Those that have ended; of a first line that takes too long by itself what there is."""
    return _fitting(wanted, None) if wanted.ended > first else Numbered(list(wanted.rows()), last, wanted.missing)


def _fitting(wanted: Assembler, most: int | None) -> Numbered:
    """Of the lines that have ended the first ones that fit."""
    kept: list[tuple[str, Line]] = []
    size, ended = 0, wanted.ended
    for execution, line in wanted.rows():
        size += len(line.data)
        if line.number >= ended or (most is not None and kept and size > most):
            return Numbered(kept, line.number - 1, _behind(wanted, line.number - 1))
        kept.append((execution, line))
    return Numbered(kept, ended - 1, _behind(wanted, ended - 1))


def _behind(wanted: Assembler, last: int) -> list[Missing]:
    return [each for each in wanted.missing if each.after <= last]


class Lookup(Segments):
    """Looks for lines in one execution of an indexed journal, or in all of it (`TREE`). A *row* is a line as counted
    among those on some streams only. Raises `OSError` when the journal cannot be read."""

    def segment_of(self, line: int) -> int:
        """The segment in which the line with this number begins."""
        return self._segment_of_row(line, None)

    def _segment_of_row(self, row: int, streams: Collection[int] | None) -> int:
        return max(0, bisect_left(self.marks, row, key=lambda mark: mark.rows(streams)) - 1)

    def lines(
        self,
        first: int,
        last: int,
        streams: Collection[int] | None,
        more: Callable[[], bool],
        *,
        most: int | None = None,
        cut: int | None = None,
    ) -> Numbered:
        """The lines numbered `first` to `last` that there are: of those on `streams` as many as fit into about `most`
        bytes, but one at the least. One that is still open is given as far as it goes, and of each at most `cut` bytes.
        """
        last = min(last, self.last_line)
        if first > last:
            return Numbered([], last, [])
        segment = self.segment_of(first)
        wanted = Assembler(self.marks[segment].counter(), first, last, streams, whole=self.whole, most=cut)
        behind = size = 0
        for number in range(segment, len(self.marks)):
            begin, end = self.marks[number], self.ends[number]
            if streams is not None and begin.printed(streams) == end.printed(streams) and begin.gaps == end.gaps:
                wanted.skip(end.counter())
                behind += sum(end.sizes) - sum(begin.sizes) if begin.lines >= last else 0
                if (wanted.whole and wanted.counted > last) or behind > MOST_BEHIND:
                    break
                if not more():
                    return _in_time(wanted, first, last)
                continue
            for record in self.segment_records(number):
                behind += len(record.payload) if wanted.counted >= last else 0
                wanted.take(record)
                size += len(record.payload) if wanted.counted >= first else 0
                if most is not None and size > (most if cut is None else _READ_TO_CUT) and wanted.ended > first:
                    return _fitting(wanted, most)
                if (wanted.whole and wanted.counted > last) or behind > MOST_BEHIND:
                    return Numbered(list(wanted.rows()), last, wanted.missing)
                if not more():
                    return _in_time(wanted, first, last)
        return Numbered(list(wanted.rows()), last, wanted.missing)

    def rows(self, streams: Collection[int] | None) -> int:
        """How many rows there are."""
        return self.ends[-1].rows(streams)

    def line_of_row(self, row: int, streams: Collection[int] | None) -> int:
        """The number of the line that is this row; one more than there are lines if there is no such row."""
        if row > self.rows(streams):
            return self.last_line + 1
        if streams is None:
            return row
        segment = self._segment_of_row(row, streams)
        counter, seen = self.marks[segment].counter(), self.marks[segment].rows(streams)
        for record in self.records(segment):
            before = counter.lines
            count_record(counter, record, self.whole)
            if record.stream in streams and record.kind == journal.OUTPUT:
                if seen + counter.lines - before >= row:
                    return before + row - seen
                seen += counter.lines - before
        return self.last_line + 1

    def row_of_line(self, line: int, streams: Collection[int] | None) -> int:
        """How many rows there are up to the line with this number: its own, if it is on one of the streams."""
        if streams is None or line > self.last_line:
            return min(line, self.rows(streams))
        segment = self.segment_of(line)
        counter, seen = self.marks[segment].counter(), self.marks[segment].rows(streams)
        for record in self.records(segment):
            before = counter.lines
            count_record(counter, record, self.whole)
            if record.stream in streams and record.kind == journal.OUTPUT:
                seen += min(counter.lines, line) - before
            if counter.lines >= line:
                break
        return seen

    def line_at(self, time: int) -> int:
        """The first line that began at `time` (µs) or later; one more than there are if none did."""
        if self.ends[-1].time < time:
            return self.last_line + 1
        segment = max(0, bisect_right(self.ends, time - 1, key=lambda mark: mark.time))
        segment = min(segment, len(self.marks) - 1)
        counter = self.marks[segment].counter()
        for record in self.records(segment):
            before = counter.lines
            count_record(counter, record, self.whole)
            if record.time >= time and counter.lines > before:
                return before + 1
        return self.last_line + 1

    def counter_at(self, position: int) -> LineCounter:
        """The counting as it stood at a position: behind every record that ends there or before."""
        segment = max(0, bisect_right(self.marks, position, key=lambda mark: mark.position) - 1)
        counter = self.marks[segment].counter()
        if self.ends[-1].position <= position:
            return self.ends[-1].counter()
        for record in self.records(segment):
            if record.end > position:
                break
            count_record(counter, record, self.whole)
        return counter

    def open_lines(self, position: int, more: Callable[[], bool]) -> list[Line]:
        """What the lines that were open at a position held by then."""
        found: list[Line] = []
        for number in sorted(self.counter_at(position).open.values()):
            segment = self.segment_of(number)
            wanted = Assembler(self.marks[segment].counter(), number, number, whole=self.whole)
            for record in self.records(segment):
                if record.end > position or not more():
                    break
                wanted.take(record)
            found += wanted.lines()
        return found

    # -- bytes

    def position_of_byte(self, offset: int, streams: Collection[int] | None) -> tuple[int, int]:
        """Where to read on from for the byte at `offset` of these streams' output, in journal order: a position,
        and how many bytes behind it are passed over."""

        def size(mark: Mark) -> int:
            return sum(size for stream, size in enumerate(mark.sizes) if streams is None or stream in streams)

        segment = max(0, bisect_right(self.marks, offset, key=size) - 1)
        mark = self.marks[segment]
        start = mark.position or journal.HEADER_SIZE
        return start, offset - size(mark)
