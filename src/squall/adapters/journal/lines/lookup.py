"""Finds lines and bytes of one execution by its index, and reads only the records around them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from typing import NamedTuple

from squall.adapters.journal.lines.index import Mark
from squall.adapters.journal.lines.segments import Segments
from squall.core.output import journal
from squall.core.output.lines import Assembler, Line, LineCounter, Missing, count_record

_READ_TO_CUT = 64 << 20
"""The most bytes that one answer with cut lines may read."""

MOST_BEHIND = 4 << 20
"""The most bytes of an execution that are read behind the requested lines, to find the ends of open lines."""


class Numbered(NamedTuple):
    """Lines with their executions. `rows` holds all requested lines up to the number `last`; `missing` holds the gaps
    among them."""

    rows: list[tuple[str, Line]]
    last: int
    missing: list[Missing]


def _in_time(assembler: Assembler, first: int, last: int) -> Numbered:
    """Returns the lines that have ended; if the first one has not, returns its part so far."""
    return (
        _fitting(assembler, None)
        if assembler.ended > first
        else Numbered(list(assembler.rows()), last, assembler.missing)
    )


def _fitting(assembler: Assembler, most: int | None) -> Numbered:
    """Returns the first ended lines that fit into `most` bytes, but at least one."""
    rows: list[tuple[str, Line]] = []
    size, ended = 0, assembler.ended
    for execution, line in assembler.rows():
        size += len(line.data)
        if line.number >= ended or (most is not None and rows and size > most):
            return Numbered(rows, line.number - 1, _gaps_up_to(assembler, line.number - 1))
        rows.append((execution, line))
    return Numbered(rows, ended - 1, _gaps_up_to(assembler, ended - 1))


def _gaps_up_to(assembler: Assembler, last: int) -> list[Missing]:
    return [gap for gap in assembler.missing if gap.after <= last]


class Lookup(Segments):
    """A search for lines in one execution of an indexed journal, or in the whole journal (`TREE`). The number of a
    *row* counts only the lines on some streams. Methods raise `OSError` if the journal cannot be read."""

    def segment_of(self, line: int) -> int:
        """Returns the number of the segment in which the line with this number begins."""
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
        """Returns the existing lines `first` to `last` on `streams`: as many as fit into about `most` bytes, but at
        least one. Of a line that is still open, returns the part so far; of each line, at most `cut` bytes. Stops
        early when `more()` is false."""
        last = min(last, self.last_line)
        if first > last:
            return Numbered([], last, [])
        segment = self.segment_of(first)
        assembler = Assembler(self.marks[segment].counter(), first, last, streams, whole=self.whole, most=cut)
        behind = size = 0
        for number in range(segment, len(self.marks)):
            begin, end = self.marks[number], self.ends[number]
            if streams is not None and begin.printed(streams) == end.printed(streams) and begin.gaps == end.gaps:
                assembler.skip(end.counter())
                behind += sum(end.sizes) - sum(begin.sizes) if begin.lines >= last else 0
                if (assembler.whole and assembler.counted > last) or behind > MOST_BEHIND:
                    break
                if not more():
                    return _in_time(assembler, first, last)
                continue
            for record in self.segment_records(number):
                behind += len(record.payload) if assembler.counted >= last else 0
                assembler.take(record)
                size += len(record.payload) if assembler.counted >= first else 0
                if most is not None and size > (most if cut is None else _READ_TO_CUT) and assembler.ended > first:
                    return _fitting(assembler, most)
                if (assembler.whole and assembler.counted > last) or behind > MOST_BEHIND:
                    return Numbered(list(assembler.rows()), last, assembler.missing)
                if not more():
                    return _in_time(assembler, first, last)
        return Numbered(list(assembler.rows()), last, assembler.missing)

    def rows(self, streams: Collection[int] | None) -> int:
        """Returns the number of rows."""
        return self.ends[-1].rows(streams)

    def line_of_row(self, row: int, streams: Collection[int] | None) -> int:
        """Returns the line number of a row; if there is no such row, the number behind the last line."""
        if row > self.rows(streams):
            return self.last_line + 1
        if streams is None:
            return row
        segment = self._segment_of_row(row, streams)
        counter, counted_rows = self.marks[segment].counter(), self.marks[segment].rows(streams)
        for record in self.records(segment):
            before = counter.lines
            count_record(counter, record, self.whole)
            if record.stream in streams and record.kind == journal.OUTPUT:
                if counted_rows + counter.lines - before >= row:
                    return before + row - counted_rows
                counted_rows += counter.lines - before
        return self.last_line + 1

    def row_of_line(self, line: int, streams: Collection[int] | None) -> int:
        """Returns the number of rows up to the line with this number. That is the line's own row if the line is on one
        of the streams."""
        if streams is None or line > self.last_line:
            return min(line, self.rows(streams))
        segment = self.segment_of(line)
        counter, counted_rows = self.marks[segment].counter(), self.marks[segment].rows(streams)
        for record in self.records(segment):
            before = counter.lines
            count_record(counter, record, self.whole)
            if record.stream in streams and record.kind == journal.OUTPUT:
                counted_rows += min(counter.lines, line) - before
            if counter.lines >= line:
                break
        return counted_rows

    def line_at(self, time: int) -> int:
        """Returns the number of the first line that began at `time` (µs) or later; if there is none, the number behind
        the last line."""
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
        """Returns the line counter at a position: it has counted every record that ends there or before."""
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
        """Returns the lines that were open at a position, with their content up to it."""
        lines: list[Line] = []
        for number in sorted(self.counter_at(position).open.values()):
            segment = self.segment_of(number)
            assembler = Assembler(self.marks[segment].counter(), number, number, whole=self.whole)
            for record in self.records(segment):
                if record.end > position or not more():
                    break
                assembler.take(record)
            lines += assembler.lines()
        return lines

    # -- bytes

    def position_of_byte(self, offset: int, streams: Collection[int] | None) -> tuple[int, int]:
        """Finds the byte at `offset` of these streams' output, in journal order. Returns a position to read from, and
        the number of output bytes to skip behind it."""

        def size(mark: Mark) -> int:
            return sum(size for stream, size in enumerate(mark.sizes) if streams is None or stream in streams)

        segment = max(0, bisect_right(self.marks, offset, key=size) - 1)
        mark = self.marks[segment]
        start = mark.position or journal.HEADER_SIZE
        return start, offset - size(mark)
