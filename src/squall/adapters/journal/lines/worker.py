"""The program that counts, finds and searches lines. It runs as a process of its own, so the server stays responsive.

`serve` answers one question after the other, each within its time.
"""

from __future__ import annotations

import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import msgspec

from squall.adapters.durable import make_folder
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.lines.ending import counted_tail, uncounted_tail
from squall.adapters.journal.lines.index import LineIndex
from squall.adapters.journal.lines.lookup import Lookup
from squall.adapters.journal.lines.messages import (
    LENGTH,
    Answer,
    AnyQuestion,
    AskByte,
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
"""The approximate size limit of the lines in one answer, in bytes."""

_OPEN = 8
_RECEIVE = 1 << 16
_SOON = 0.2


class Indexes:
    """The indexes that were used last. `answer` answers questions with them."""

    def __init__(self, root: Path, sources: Sources) -> None:
        self._root = root
        self._sources = sources
        self._open: OrderedDict[str, LineIndex] = OrderedDict()

    def answer(self, question: AnyQuestion) -> Answer:
        """Answers a question. Returns `Failed` for errors."""
        began = time.monotonic()
        deadline = began + question.seconds

        def more() -> bool:
            return time.monotonic() < deadline

        try:
            index = self._index(question.tree)
            if index is None:
                return question.nothing()
            head = index.source.committed
            if isinstance(question, AskTail) and not index.catch_up(head, lambda: time.monotonic() < began + _SOON):
                # The client gets the last lines at once. Their numbers are known only after the count.
                rows = uncounted_tail(index.source, head, question.executions, question.count, question.streams)
                return Tail(rows, head)
            if not index.catch_up(head, more):
                return Unfinished(index.counted / head)
            return _answer(index, question, more)
        except SquallError as error:
            return Failed(error.code, str(error))
        except OSError as error:
            self._forget(question.tree)
            return Failed("unavailable", f"The output cannot be read: {error}")

    def _index(self, tree: str) -> LineIndex | None:
        index = self._open.get(tree)
        if index is not None and index.source.stale():
            self._forget(tree)
            index = None
        if index is None:
            try:
                source = self._sources.open(tree)
            except DamagedError:
                source = None
            if source is None:
                return None
            path = self._root / journal.lines_name(tree)
            make_folder(path.parent)
            index = self._open[tree] = LineIndex(source, path)
            while len(self._open) > _OPEN:
                self._forget(next(iter(self._open)))
        self._open.move_to_end(tree)
        return index

    def _forget(self, tree: str) -> None:
        if (index := self._open.pop(tree, None)) is not None:
            index.keep()
            close_quietly(index.source)


def _answer(index: LineIndex, question: AnyQuestion, more: Callable[[], bool]) -> Answer:
    match question:
        case AskSums():
            return Sums(_sums(index, question.executions))
        case AskTail():
            return Tail(counted_tail(index, question.executions, question.count, question.streams, more), index.counted)
        case AskStates():
            position = index.counted if question.position is None else question.position
            return States(_states(index, question.executions, position, more), position)
    lookup = Lookup(index, question.execution)
    match question:
        case AskLines():
            lines = lookup.lines(question.first, question.last, question.streams, more, most=MOST_BYTES)
            return Lines(LinePage([line for _, line in lines.rows], lookup.last_line, lines.last, index.counted))
        case AskRows():
            return Rows(_rows(index, lookup, question, more))
        case AskLineAt():
            return LineNumber(lookup.line_at(question.time))
        case AskByte():
            return BytePlace(*lookup.position_of_byte(question.offset, question.streams))
        case AskSearch():
            return Matches(_hits(lookup, question.search, more))


def _sums(index: LineIndex, executions: list[str] | None) -> dict[str, OutputSums]:
    sums: dict[str, OutputSums] = {}
    for execution in index.executions() if executions is None else executions:
        if (tally := index.tallies.get(execution)) is not None:
            now = tally.now
            sums[execution] = OutputSums(
                now.lines, now.sizes, now.line_counts, tally.first, now.position, tally.began, now.time, now.gaps,
                tally.missing, tally.places,
            )  # fmt: skip
    return sums


def _states(
    index: LineIndex, executions: list[str] | None, position: int, more: Callable[[], bool]
) -> dict[str, LineState]:
    states: dict[str, LineState] = {}
    for execution in index.executions() if executions is None else executions:
        if execution in index.tallies:
            lookup = Lookup(index, execution)
            counter = lookup.counter_at(position)
            opened = tuple((*key, number) for key, number in counter.open.items())
            states[execution] = LineState(counter.lines, opened, lookup.open_lines(position, more))
    return states


def _rows(index: LineIndex, lookup: Lookup, question: AskRows, more: Callable[[], bool]) -> RowPage:
    total = lookup.rows(question.streams)
    last = min(total, question.last if question.last > 0 else total + question.last)
    first = max(1, question.first if question.first > 0 else total + question.first)
    if first > last:
        return RowPage([], first, total, index.counted)
    begin, end = lookup.line_of_row(first, question.streams), lookup.line_of_row(last, question.streams)
    rows: list[tuple[str, Line]] = []
    missing: list[Missing] = []
    while not rows and begin <= end and more():
        lines = lookup.lines(begin, end, question.streams, more, most=MOST_BYTES, cut=question.cut)
        rows, begin = lines.rows, lines.last + 1
        missing += [gap._replace(after=lookup.row_of_line(gap.after, question.streams)) for gap in lines.missing]
    return RowPage(rows, first, total, index.counted, missing)


def _hits(lookup: Lookup, query: Search, more: Callable[[], bool]) -> Hits:
    # The first search loads RE2: counting does not need it.
    from squall.adapters.journal.lines.search import compile_pattern, search

    expression = compile_pattern(query.pattern, fixed=query.fixed, ignore_case=query.ignore_case)
    start, stop = max(1, query.start), query.stop
    if query.rows:
        start, stop = (lookup.line_of_row(row, query.counted) for row in (start, stop))
    result = search(
        lookup,
        expression,
        start=start,
        stop=stop,
        limit=query.limit,
        streams=query.streams,
        backwards=query.backwards,
        more=more,
    )
    if not query.rows:
        return Hits(result.numbers, result.resume)
    numbers = [lookup.row_of_line(line, query.counted) for line in result.numbers]
    resume = 0
    if result.resume:
        # The search resumes at the row of this line; if the line has no row, at the next row.
        row = lookup.row_of_line(result.resume, query.counted)
        ahead = not query.backwards and lookup.line_of_row(row, query.counted) < result.resume
        resume = row + 1 if ahead else row
    return Hits(numbers, resume)


def serve(connection: socket.socket, indexes: Indexes) -> None:
    """Answers the questions on a connection until the other end closes it."""
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder[AnyQuestion](AnyQuestion)
    while (head := _receive(connection, LENGTH.size)) is not None:
        body = _receive(connection, LENGTH.unpack(head)[0])
        if body is None:
            return
        reply = encoder.encode(indexes.answer(decoder.decode(body)))
        connection.sendall(LENGTH.pack(len(reply)) + reply)


def _receive(connection: socket.socket, length: int) -> bytes | None:
    """Receives exactly `length` bytes. Returns None at the end of the connection."""
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(_RECEIVE, length - len(data)))
        if not part:
            return None
        data += part
    return bytes(data)
