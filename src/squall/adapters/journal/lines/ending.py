"""Finds the last lines of a journal from its end, even if its lines have not been counted yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from squall.adapters.journal import reading
from squall.adapters.journal.lines.index import LineIndex
from squall.adapters.journal.lines.lookup import Lookup
from squall.adapters.journal.sources import Source
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.lines import Assembler, Line, LineCounter

_WINDOW = 256 << 10
_FARTHEST = 64 << 20
_READ = 1 << 20

Rows = list[tuple[str, Line]]


def counted_tail(
    index: LineIndex,
    executions: Collection[str] | None,
    count: int,
    streams: Collection[int] | None,
    more: Callable[[], bool],
) -> Rows:
    """Returns the last `count` lines of some executions together, in the order in which they began.

    Starts with the execution that printed last. Stops at the first execution whose latest record ends before the
    earliest line of a full result: neither it nor the remaining ones can add a line."""
    if not count:
        return []
    printing = [key for key in (index.executions() if executions is None else executions) if key in index.tallies]
    printing.sort(key=lambda key: index.tallies[key].now.position, reverse=True)
    rows: Rows = []
    for execution in printing:
        if len(rows) == count and index.tallies[execution].now.position < rows[0][1].position:
            break
        lookup = Lookup(index, execution)
        end = lookup.last_line
        first = max(1, end - count + 1)
        new_rows = lookup.lines(first, end, streams, more).rows
        while streams is not None and len(new_rows) < count and first > 1 and more():
            # The range also counts lines of other streams, which the lookup leaves out.
            first = max(1, end - 4 * (end - first + 1))
            new_rows = lookup.lines(first, end, streams, more).rows
        rows += new_rows[-count:]
        rows.sort(key=lambda row: (row[1].position, row[1].number))
        rows = rows[-count:]
    return rows


def uncounted_tail(
    source: Source, head: int, executions: Collection[str] | None, count: int, streams: Collection[int] | None
) -> Rows:
    """Returns the same lines as `counted_tail` up to the position `head`, but with the number 0.

    Reads windows before the end that grow until they hold whole lines. If a line is longer than the largest window,
    returns the part inside the window."""
    size = _WINDOW
    while count:
        start = _first_frame(source, head - size, head)
        whole = start <= journal.HEADER_SIZE
        rows, doubtful = _window(_records(source, start, head), executions, streams, whole)
        last_rows = rows[-count:]
        if whole or size >= _FARTHEST or (len(rows) >= count and not doubtful.intersection(map(_mark, last_rows))):
            return [(execution, line._replace(number=0)) for execution, line in last_rows]
        size *= 4
    return []


def _mark(row: tuple[str, Line]) -> tuple[str, int]:
    return row[0], row[1].number


def _window(
    records: Iterator[Record], executions: Collection[str] | None, streams: Collection[int] | None, whole: bool
) -> tuple[Rows, set[tuple[str, int]]]:
    """Returns the lines of some records, in the order in which they begin, and the (execution, number) of the lines
    that may have begun before the first record."""
    parts: dict[str, Assembler] = {}
    counters: dict[str, LineCounter] = {}
    started: set[tuple[str, int, str]] = set()
    doubtful: set[tuple[str, int]] = set()
    for record in records:
        execution = record.execution
        if executions is not None and execution not in executions:
            continue
        if execution not in parts:
            counters[execution] = LineCounter()
            parts[execution] = Assembler(counters[execution], 1, 1 << 53, streams)
        key = (execution, record.stream, record.tag)
        if record.kind == journal.OUTPUT and key not in started:
            started.add(key)
            if not whole and record.offset:
                doubtful.add((execution, counters[execution].lines + 1))
        parts[execution].take(record)
    rows = [(execution, line) for execution, part in parts.items() for line in part.lines()]
    rows.sort(key=lambda row: (row[1].position, row[1].number))
    return rows, doubtful


def _records(source: Source, at: int, head: int) -> Iterator[Record]:
    while at < head:
        batch = reading.read(source, source.pread, head, at, _READ)
        yield from batch.records
        at = batch.position


def _first_frame(source: Source, at: int, head: int) -> int:
    """Returns the offset of the first record at or behind an offset; `head` if there is none."""
    if at <= journal.HEADER_SIZE:
        return journal.HEADER_SIZE
    while at < head:
        data = bytes(source.pread(at, min(2 * journal.MAX_PAYLOAD + _READ, head - at)))
        frame_offset = journal.find_frame(data, 0, source.nonce, source.seed, at)
        if frame_offset >= 0:
            return at + frame_offset
        if len(data) <= 2 * journal.MAX_PAYLOAD:
            break
        at += len(data) - 2 * journal.MAX_PAYLOAD
    return head
