"""The records of one execution of an indexed journal, segment by segment: only requested segments are read."""

from __future__ import annotations

from collections.abc import Iterator

from squall.adapters.journal import reading
from squall.adapters.journal.lines.index import TREE, LineIndex, Mark
from squall.adapters.journal.sources import Source
from squall.core.output import journal
from squall.core.output.journal import Record

_READ = 1 << 20
_CROWDED = 4
"""The spread limit: a segment that spreads over more than this many times its own bytes is read along its chain."""


class Segments:
    """One execution of an indexed journal, or the whole journal (`TREE`), divided at the `marks` of its index. Methods
    raise `OSError` if the journal cannot be read."""

    def __init__(self, index: LineIndex, execution: str) -> None:
        self._index = index
        self._source: Source = index.source
        if execution == TREE and TREE not in index.tallies:
            # If only one execution has printed, its lines are those of the tree.
            execution = next(iter(index.tallies), TREE)
        self._execution = execution
        self.whole = execution == TREE
        self.marks = index.marks(execution)
        tally = index.tallies.get(execution)
        self.ends: list[Mark] = [*self.marks[1:], tally.now if tally is not None else Mark()]

    @property
    def last_line(self) -> int:
        """The number of the last line, which is the number of lines."""
        return self.ends[-1].lines

    def records(self, segment: int) -> Iterator[Record]:
        """Yields the output and gap records from the beginning of a segment (an index of `marks`) on, in order."""
        for number in range(segment, len(self.marks)):
            yield from self._segment(self.marks[number], self.ends[number])

    def segment_records(self, segment: int) -> Iterator[Record]:
        """Yields the output and gap records of one segment."""
        yield from self._segment(self.marks[segment], self.ends[segment])

    def _segment(self, begin: Mark, end: Mark) -> Iterator[Record]:
        size = sum(end.sizes) - sum(begin.sizes)
        if end.position <= begin.position:
            return
        first = self._index.tallies[self._execution].first
        start = begin.position or first
        if not self.whole and end.position - start > _CROWDED * (size + _READ):
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
                selected = self.whole or record.execution == self._execution
                printed = selected and record.kind in (journal.OUTPUT, journal.GAP)
                if printed or (record.kind == journal.GAP and not record.stream):
                    yield record
            at = batch.position

    def _chain(self, begin: Mark, end: Mark) -> list[int] | None:
        """Returns the offsets of the execution's records between two marks; None if its chain is broken."""
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
