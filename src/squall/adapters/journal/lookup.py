"""Finds lines and bytes of one execution by its index: only the records around them are read, wherever they are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator

from squall.adapters.journal import reading
from squall.adapters.journal.index import LineIndex, Mark
from squall.adapters.journal.sources import Source
from squall.core import journal
from squall.core.journal import Record
from squall.core.lines import Assembler, Line, LineCounter

_READ = 1 << 20
_CROWDED = 4
"""A segment that spreads over more than so many times its own bytes is read by its chain, not through."""

MOST_BEHIND = 4 << 20
"""Bytes of an execution that are read at most behind what was asked for, to find the ends of lines that are open."""


class Lookup:
    """Looks into one execution of an indexed journal. Raises `OSError` when the journal cannot be read."""

    def __init__(self, index: LineIndex, execution: str) -> None:
        self._index = index
        self._source: Source = index.source
        self._execution = execution
        self.marks = index.marks(execution)
        tally = index.tallies.get(execution)
        self._ends: list[Mark] = [*self.marks[1:], tally.now if tally is not None else Mark()]

    @property
    def last_line(self) -> int:
        """How many lines there are."""
        return self._ends[-1].lines

    def records(self, segment: int) -> Iterator[Record]:
        """The output and gap records from the beginning of a segment (a number of `marks`) on, in order."""
        for number in range(segment, len(self.marks)):
            yield from self._segment(self.marks[number], self._ends[number])

    def segment_records(self, segment: int) -> Iterator[Record]:
        """Those of one segment."""
        yield from self._segment(self.marks[segment], self._ends[segment])

    def _segment(self, begin: Mark, end: Mark) -> Iterator[Record]:
        size = sum(end.sizes) - sum(begin.sizes)
        if end.position <= begin.position:
            return
        first = self._index.tallies[self._execution].first
        start = begin.position or first
        if end.position - start > _CROWDED * (size + _READ):
            starts = self._chain(begin, end)
            if starts is not None:
                for at in starts:
                    yield from self._one(at)
                return
        yield from self._through(start, end.position)

    def _through(self, start: int, end: int) -> Iterator[Record]:
        at = start
        while at < end:
            batch = reading.read(self._source, self._source.pread, end, at, _READ)
            if batch.position == at:
                return
            for record in batch.records:
                own = record.execution == self._execution and record.kind in (journal.OUTPUT, journal.GAP)
                if own or (record.kind == journal.GAP and not record.stream):
                    yield record
            at = batch.position

    def _chain(self, begin: Mark, end: Mark) -> list[int] | None:
        """The starts of the execution's records between two marks; None where its chain is broken."""
        starts: list[int] = []
        at = end.last
        while at > begin.last:
            starts.append(at)
            at = reading.before(self._source, self._source.pread, at)
        if at != begin.last:
            return None
        starts.reverse()
        return starts

    def _one(self, at: int) -> Iterator[Record]:
        length = journal.frame_length(self._source.pread(at, journal.FRAME_SIZE))
        record = journal.unpack_frame(memoryview(self._source.pread(at, length)), 0, at)
        if record is not None and record.kind in (journal.OUTPUT, journal.GAP):
            yield record

    # -- lines

    def segment_of(self, line: int) -> int:
        """The segment in which the line with this number begins."""
        return max(0, self._index.mark_before_line(self._execution, line))

    def lines(self, first: int, last: int, streams: Collection[int] | None, more: Callable[[], bool]) -> list[Line]:
        """The lines numbered `first` to `last` that there are. One that is still open is given as far as it goes."""
        last = min(last, self.last_line)
        if first > last:
            return []
        segment = self.segment_of(first)
        counter = self.marks[segment].counter()
        wanted = Assembler(counter, first, last, streams)
        behind = 0
        for record in self.records(segment):
            behind += len(record.payload) if counter.lines >= last else 0
            wanted.take(record)
            if wanted.whole or behind > MOST_BEHIND or not more():
                break
        return list(wanted.lines())

    def line_at(self, time: int) -> int:
        """The first line that began at `time` (µs) or later; one more than there are if none did."""
        if self._ends[-1].time < time:
            return self.last_line + 1
        segment = max(0, bisect_right(self._ends, time - 1, key=lambda mark: mark.time))
        segment = min(segment, len(self.marks) - 1)
        counter = self.marks[segment].counter()
        for record in self.records(segment):
            if record.kind == journal.GAP:
                counter.gap(record.stream)
                continue
            before = counter.lines
            counter.take(record.stream, record.tag, record.payload)
            if record.time >= time and counter.lines > before:
                return before + 1
        return self.last_line + 1

    def counter_at(self, position: int) -> LineCounter:
        """The counting as it stood at a position: behind every record that ends there or before."""
        segment = max(0, bisect_right(self.marks, position, key=lambda mark: mark.position) - 1)
        counter = self.marks[segment].counter()
        if self._ends[-1].position <= position:
            return self._ends[-1].counter()
        for record in self.records(segment):
            if record.end > position:
                break
            if record.kind == journal.GAP:
                counter.gap(record.stream)
            else:
                counter.take(record.stream, record.tag, record.payload)
        return counter

    def open_lines(self, position: int, more: Callable[[], bool]) -> list[Line]:
        """What the lines that were open at a position held by then."""
        found: list[Line] = []
        for number in sorted(self.counter_at(position).open.values()):
            segment = self.segment_of(number)
            wanted = Assembler(self.marks[segment].counter(), number, number)
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
