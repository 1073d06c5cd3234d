"""The last lines of a journal, found from its end: also of one whose lines have never been counted."""

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
    """The last lines of some executions together, in the order in which they began: those that printed last are looked
    at first, and one whose last line began before all that are kept is not looked at, nor are those behind it."""
    if not count:
        return []
    known = [each for each in (index.executions() if executions is None else executions) if each in index.tallies]
    known.sort(key=lambda each: index.tallies[each].now.position, reverse=True)
    kept: Rows = []
    for execution in known:
        if len(kept) == count and index.tallies[execution].now.position < kept[0][1].position:
            break
        lookup = Lookup(index, execution)
        end = lookup.last_line
        first = max(1, end - count + 1)
        found = lookup.lines(first, end, streams, more).rows
        while streams is not None and len(found) < count and first > 1 and more():
            # Lines of other streams are counted, and are none of those that are wanted.
            first = max(1, end - 4 * (end - first + 1))
            found = lookup.lines(first, end, streams, more).rows
        kept += found[-count:]
        kept.sort(key=lambda row: (row[1].position, row[1].number))
        kept = kept[-count:]
    return kept


def uncounted_tail(
    source: Source, head: int, executions: Collection[str] | None, count: int, streams: Collection[int] | None
) -> Rows:
    """As `counted_tail` up to the position `head`, without numbers (they are 0): windows before the end that grow until
    they hold the lines whole. A line that is longer than all of them is given from where the largest begins."""
    size = _WINDOW
    while count:
        start = _first_frame(source, head - size, head)
        whole = start <= journal.HEADER_SIZE
        rows, doubtful = _window(_records(source, start, head), executions, streams, whole)
        kept = rows[-count:]
        if whole or size >= _FARTHEST or (len(rows) >= count and not doubtful.intersection(map(_mark, kept))):
            return [(execution, line._replace(number=0)) for execution, line in kept]
        size *= 4
    return []


def _mark(row: tuple[str, Line]) -> tuple[str, int]:
    return row[0], row[1].number


def _window(
    records: Iterator[Record], executions: Collection[str] | None, streams: Collection[int] | None, whole: bool
) -> tuple[Rows, set[tuple[str, int]]]:
    """The lines of some records, in the order in which they begin, and those that may have begun before the first."""
    parts: dict[str, Assembler] = {}
    counters: dict[str, LineCounter] = {}
    seen: set[tuple[str, int, str]] = set()
    doubtful: set[tuple[str, int]] = set()
    for record in records:
        execution = record.execution
        if executions is not None and execution not in executions:
            continue
        if execution not in parts:
            counters[execution] = LineCounter()
            parts[execution] = Assembler(counters[execution], 1, 1 << 53, streams)
        key = (execution, record.stream, record.tag)
        if record.kind == journal.OUTPUT and key not in seen:
            seen.add(key)
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
    """Where the first record at or behind an offset starts; `head` where there is none."""
    if at <= journal.HEADER_SIZE:
        return journal.HEADER_SIZE
    while at < head:
        data = bytes(source.pread(at, min(2 * journal.MAX_PAYLOAD + _READ, head - at)))
        found = journal.find_frame(data, 0, source.nonce, source.seed, at)
        if found >= 0:
            return at + found
        if len(data) <= 2 * journal.MAX_PAYLOAD:
            break
        at += len(data) - 2 * journal.MAX_PAYLOAD
    return head
