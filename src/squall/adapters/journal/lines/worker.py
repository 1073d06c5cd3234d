"""The program that counts, finds and searches lines: a process beside the server, so that it holds up nobody.

It answers one request after the other, each within its time: `serve` is its whole work.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import msgspec

from squall.adapters.journal.lines.ending import counted_tail, uncounted_tail
from squall.adapters.journal.lines.index import LineIndex
from squall.adapters.journal.lines.lookup import Lookup
from squall.adapters.journal.sources import Sources, close_quietly
from squall.core.errors import SquallError
from squall.core.output import journal
from squall.core.output.line_query import Hits, LineState, OutputSums, Search
from squall.core.output.lines import Line, Missing

LENGTH = struct.Struct("<I")
"""What stands before each message: its length in bytes."""

MOST_BYTES = 4 << 20
"""About how many bytes of lines one answer holds."""

_OPEN = 8
_RECEIVE = 1 << 16
_SOON = 0.2


class Question(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request. `seconds` is how long it may take; what the rest means is as in `ports.Lines`."""

    op: str
    tree: str
    seconds: float
    execution: str = ""
    executions: list[str] | None = None
    first: int = 0
    last: int = 0
    streams: tuple[int, ...] | None = None
    cut: int | None = None
    search: Search | None = None


class Reply(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One answer: what was asked for, of the journal up to `position`; or `counted`, the part (0 to 1) of it that has
    been counted when the time was over; or an error with its code."""

    position: int = 0
    sums: dict[str, OutputSums] = {}
    states: dict[str, LineState] = {}
    rows: list[tuple[str, Line]] = []
    missing: list[Missing] = []
    first: int = 0
    last: int = 0
    hits: Hits | None = None
    number: int = 0
    skip: int = 0
    counted: float = 1.0
    code: str = ""
    error: str = ""


class Indexes:
    """The indexes that were used last, and what to do with them."""

    def __init__(self, root: Path, sources: Sources) -> None:
        self._root = root
        self._sources = sources
        self._open: OrderedDict[str, LineIndex] = OrderedDict()

    def answer(self, asked: Question) -> Reply:
        """Does what is asked. What goes wrong is told in the reply."""
        began = time.monotonic()
        deadline = began + asked.seconds

        def more() -> bool:
            return time.monotonic() < deadline

        try:
            index = self._index(asked.tree)
            if index is None:
                return Reply()
            head = index.source.committed
            if asked.op == "tail" and not index.catch_up(head, lambda: time.monotonic() < began + _SOON):
                # The last lines are shown at once; their numbers are known when somebody has counted them.
                rows = uncounted_tail(index.source, head, asked.executions, asked.last, asked.streams)
                return Reply(rows=rows, position=head)
            if not index.catch_up(head, more):
                return Reply(counted=index.counted / head)
            reply = self._look(index, asked, more)
            reply.position = index.counted
            return reply
        except SquallError as error:
            return Reply(code=error.code, error=str(error))
        except OSError as error:
            self._forget(asked.tree)
            return Reply(code="unavailable", error=f"The output cannot be read: {error}")

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

    def _look(self, index: LineIndex, asked: Question, more: Callable[[], bool]) -> Reply:
        if asked.op == "sums":
            return Reply(sums=_sums(index, asked.executions))
        if asked.op == "tail":
            return Reply(rows=counted_tail(index, asked.executions, asked.last, asked.streams, more))
        if asked.op == "states":
            return Reply(states=_states(index, asked, more))
        lookup = Lookup(index, asked.execution)
        if asked.op == "lines":
            found = lookup.lines(asked.first, asked.last, asked.streams, more, most=MOST_BYTES)
            return Reply(rows=found.rows, last=found.last, number=lookup.last_line)
        if asked.op == "rows":
            return _rows(lookup, asked, more)
        if asked.op == "line_at":
            return Reply(number=lookup.line_at(asked.first))
        if asked.op == "byte":
            position, skip = lookup.position_of_byte(asked.first, asked.streams)
            return Reply(number=position, skip=skip)
        return Reply(hits=_hits(lookup, asked.search or Search(pattern=""), more))


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


def _states(index: LineIndex, asked: Question, more: Callable[[], bool]) -> dict[str, LineState]:
    found: dict[str, LineState] = {}
    for execution in index.executions() if asked.executions is None else asked.executions:
        if execution in index.tallies:
            lookup = Lookup(index, execution)
            position = asked.first or index.counted
            counter = lookup.counter_at(position)
            opened = tuple((*key, number) for key, number in counter.open.items())
            found[execution] = LineState(counter.lines, opened, lookup.open_lines(position, more))
    return found


def _rows(lookup: Lookup, asked: Question, more: Callable[[], bool]) -> Reply:
    total = lookup.rows(asked.streams)
    last = min(total, asked.last if asked.last > 0 else total + asked.last)
    first = max(1, asked.first if asked.first > 0 else total + asked.first)
    if first > last:
        return Reply(first=first, number=total)
    begin, end = lookup.line_of_row(first, asked.streams), lookup.line_of_row(last, asked.streams)
    rows: list[tuple[str, Line]] = []
    missing: list[Missing] = []
    while not rows and begin <= end and more():
        found = lookup.lines(begin, end, asked.streams, more, most=MOST_BYTES, cut=asked.cut)
        rows, begin = found.rows, found.last + 1
        missing += [each._replace(after=lookup.row_of_line(each.after, asked.streams)) for each in found.missing]
    return Reply(rows=rows, first=first, number=total, missing=missing)


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
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Question)
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
