"""The program that counts, finds and searches lines: a process beside the server, so that it holds up nobody.

It answers one request after the other, each within its time: `serve` is its whole work.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import msgspec

from squall.adapters.journal.lines.ending import counted_tail, uncounted_tail
from squall.adapters.journal.lines.index import LineIndex
from squall.adapters.journal.lines.lookup import Lookup
from squall.adapters.journal.lines.messages import (
    LENGTH,
    Answer,
    AskByte,
    Asked,
    AskLineAt,
    AskLines,
    AskRows,
    AskSearch,
    AskStates,
    AskSums,
    AskTail,
    BytePlace,
    Failed,
    LineNumber,
    Lines,
    Matches,
    Rows,
    States,
    Sums,
    Tail,
    Unfinished,
)
from squall.adapters.journal.sources import Sources, close_quietly
from squall.core.errors import SquallError
from squall.core.output import journal
from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line, Missing

MOST_BYTES = 4 << 20
"""About how many bytes of lines one answer holds."""

_OPEN = 8
_RECEIVE = 1 << 16
_SOON = 0.2


class Indexes:
    """The indexes that were used last, and what to do with them."""

    def __init__(self, root: Path, sources: Sources) -> None:
        self._root = root
        self._sources = sources
        self._open: OrderedDict[str, LineIndex] = OrderedDict()

    def answer(self, asked: Asked) -> Answer:
        """Does what is asked. What goes wrong is told in the answer."""
        began = time.monotonic()
        deadline = began + asked.seconds

        def more() -> bool:
            return time.monotonic() < deadline

        try:
            index = self._index(asked.tree)
            if index is None:
                return asked.nothing()
            head = index.source.committed
            if isinstance(asked, AskTail) and not index.catch_up(head, lambda: time.monotonic() < began + _SOON):
                # The last lines are shown at once; their numbers are known when somebody has counted them.
                rows = uncounted_tail(index.source, head, asked.executions, asked.count, asked.streams)
                return Tail(rows, head)
            if not index.catch_up(head, more):
                return Unfinished(index.counted / head)
            return _look(index, asked, more)
        except SquallError as error:
            return Failed(error.code, str(error))
        except OSError as error:
            self._forget(asked.tree)
            return Failed("unavailable", f"The output cannot be read: {error}")

    def _index(self, tree: str) -> LineIndex | None:
        found = self._open.get(tree)
        if found is not None and found.source.stale():
            self._forget(tree)
            found = None
        if found is None:
            source = self._sources.open(tree)
            if source is None:
                return None
            path = self._root / journal.lines_name(tree)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            found = self._open[tree] = LineIndex(source, path)
            while len(self._open) > _OPEN:
                self._forget(next(iter(self._open)))
        self._open.move_to_end(tree)
        return found

    def _forget(self, tree: str) -> None:
        if (index := self._open.pop(tree, None)) is not None:
            index.keep()
            close_quietly(index.source)


def _look(index: LineIndex, asked: Asked, more: Callable[[], bool]) -> Answer:
    match asked:
        case AskSums():
            return Sums(_sums(index, asked.executions))
        case AskTail():
            return Tail(counted_tail(index, asked.executions, asked.count, asked.streams, more), index.counted)
        case AskStates():
            position = index.counted if asked.position is None else asked.position
            return States(_states(index, asked.executions, position, more), position)
    lookup = Lookup(index, asked.execution)
    match asked:
        case AskLines():
            found = lookup.lines(asked.first, asked.last, asked.streams, more, most=MOST_BYTES)
            return Lines(LinePage([line for _, line in found.rows], lookup.last_line, found.last, index.counted))
        case AskRows():
            return Rows(_rows(index, lookup, asked, more))
        case AskLineAt():
            return LineNumber(lookup.line_at(asked.time))
        case AskByte():
            return BytePlace(*lookup.position_of_byte(asked.offset, asked.streams))
        case AskSearch():
            return Matches(_hits(lookup, asked.search, more))


def _sums(index: LineIndex, executions: list[str] | None) -> dict[str, OutputSums]:
    found: dict[str, OutputSums] = {}
    for execution in index.executions() if executions is None else executions:
        if (tally := index.tallies.get(execution)) is not None:
            now = tally.now
            found[execution] = OutputSums(
                now.lines, now.sizes, now.line_counts, tally.first, now.position, tally.began, now.time, now.gaps,
                tally.missing, tally.places,
            )  # fmt: skip
    return found


def _states(
    index: LineIndex, executions: list[str] | None, position: int, more: Callable[[], bool]
) -> dict[str, LineState]:
    found: dict[str, LineState] = {}
    for execution in index.executions() if executions is None else executions:
        if execution in index.tallies:
            lookup = Lookup(index, execution)
            counter = lookup.counter_at(position)
            opened = tuple((*key, number) for key, number in counter.open.items())
            found[execution] = LineState(counter.lines, opened, lookup.open_lines(position, more))
    return found


def _rows(index: LineIndex, lookup: Lookup, asked: AskRows, more: Callable[[], bool]) -> RowPage:
    total = lookup.rows(asked.streams)
    last = min(total, asked.last if asked.last > 0 else total + asked.last)
    first = max(1, asked.first if asked.first > 0 else total + asked.first)
    if first > last:
        return RowPage([], first, total, index.counted)
    begin, end = lookup.line_of_row(first, asked.streams), lookup.line_of_row(last, asked.streams)
    rows: list[tuple[str, Line]] = []
    missing: list[Missing] = []
    while not rows and begin <= end and more():
        found = lookup.lines(begin, end, asked.streams, more, most=MOST_BYTES, cut=asked.cut)
        rows, begin = found.rows, found.last + 1
        missing += [each._replace(after=lookup.row_of_line(each.after, asked.streams)) for each in found.missing]
    return RowPage(rows, first, total, index.counted, missing)


def _hits(lookup: Lookup, wanted: Search, more: Callable[[], bool]) -> Hits:
    # Loaded by the first search: counting does without.
    from squall.adapters.journal.lines.search import compile_pattern, search

    expression = compile_pattern(wanted.pattern, fixed=wanted.fixed, ignore_case=wanted.ignore_case)
    start, stop = max(1, wanted.start), wanted.stop
    if wanted.rows:
        start, stop = (lookup.line_of_row(each, wanted.counted) for each in (start, stop))
    found = search(
        lookup,
        expression,
        start=start,
        stop=stop,
        limit=wanted.limit,
        streams=wanted.streams,
        backwards=wanted.backwards,
        more=more,
    )
    if not wanted.rows:
        return Hits(found.numbers, found.resume)
    numbers = [lookup.row_of_line(each, wanted.counted) for each in found.numbers]
    resume = 0
    if found.resume:
        # Where it is to go on is the row of a line, or the next one behind it.
        rows = lookup.row_of_line(found.resume, wanted.counted)
        ahead = not wanted.backwards and lookup.line_of_row(rows, wanted.counted) < found.resume
        resume = rows + 1 if ahead else rows
    return Hits(numbers, resume)


def serve(connection: socket.socket, indexes: Indexes) -> None:
    """Answers what comes over the connection until it is closed."""
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder[Asked](Asked)
    while (head := _receive(connection, LENGTH.size)) is not None:
        body = _receive(connection, LENGTH.unpack(head)[0])
        if body is None:
            return
        reply = encoder.encode(indexes.answer(decoder.decode(body)))
        connection.sendall(LENGTH.pack(len(reply)) + reply)


def _receive(connection: socket.socket, length: int) -> bytes | None:
    """So many bytes; None at the end of the connection."""
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(_RECEIVE, length - len(data)))
        if not part:
            return None
        data += part
    return bytes(data)
