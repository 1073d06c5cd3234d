"""Lines of output: their definition, their numbers and their bytes.

Lines are counted per execution, in the order of its journal, over all its streams. A line begins when its first byte
is stored. It ends behind its newline, or at the end of its stream; a carriage return does not end it. Each stream (of
each tag) has its own open line: if an execution prints `ab` on stdout, `x\\n` on stderr and `c\\n` on stdout, line 1
is `abc\\n` and line 2 is `x\\n`. So the number of a line never changes, whichever streams a reader leaves out.

A gap (output that was left out) ends the open line of its stream: output behind the gap begins a new line.

The lines of a whole tree are counted alike, over all its executions, in the order in which they begin in its journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from squall.core.output import journal
from squall.core.output.journal import Record

Key = tuple[int, str]
"""The number of a stream, and a tag: each such pair has its own lines."""


class Line(NamedTuple):
    """One line. `position` is the end of the record in which the line began, `time` (µs) the time of that record.
    `data` are the bytes of the line, with the newline if it was printed. `left` is the number of bytes that `data`
    leaves out before the newline or, if `from_end`, at the beginning."""

    number: int
    stream: int
    tag: str
    time: int
    position: int
    data: bytes
    left: int = 0
    from_end: bool = False

    @property
    def complete(self) -> bool:
        """True if the newline has been printed."""
        return self.data.endswith(b"\n")


class Missing(NamedTuple):
    """Output that was left out behind the line `after` (0: before the first line) of `stream` (0: of all streams).
    `told` is the payload of the gap record (JSON)."""

    after: int
    stream: int
    told: bytes


class LineCounter:
    """Counts the lines of one execution. `lines` is the number of lines begun so far; `open` holds the numbers of the
    lines that have not ended.

    Give it every output and gap record of the execution in their order.
    """

    __slots__ = ("lines", "open")

    def __init__(self, lines: int = 0, open_lines: dict[Key, int] | None = None) -> None:
        self.lines = lines
        self.open: dict[Key, int] = dict(open_lines or {})

    def take(self, stream: int, tag: str, payload: bytes | memoryview) -> tuple[int | None, int]:
        """Counts the lines of an output payload. Returns the number of the line that the first bytes continue (None if
        they begin a line), and the number of lines before the first one that begins in the payload."""
        key = (stream, tag)
        open_line, before = self.open.get(key), self.lines
        if not payload:
            return open_line, before
        newlines = bytes(payload).count(b"\n")
        if payload[-1] == 10:
            self.open.pop(key, None)
            self.lines += newlines - (open_line is not None)
        else:
            self.lines += newlines + 1 - (open_line is not None)
            self.open[key] = open_line if open_line is not None and not newlines else self.lines
        return open_line, before

    def gap(self, stream: int, within: str = "") -> None:
        """Ends the open lines of a stream (0: of all streams) whose tags begin with `within`."""
        for key in [key for key in self.open if not stream or key[0] == stream]:
            if key[1].startswith(within):
                del self.open[key]


def tag_in_tree(execution: str, tag: str) -> str:
    """Returns the tag for counting the lines of a whole tree: in it too, each execution has its own lines."""
    return f"{execution}/{tag}"


def count_record(counter: LineCounter, record: Record, whole: bool) -> tuple[int | None, int]:
    """Counts an output or gap record, among the lines of its whole tree if `whole`. Returns the result of `take`."""
    if record.kind == journal.GAP:
        # A gap without a stream is a gap of the whole journal.
        counter.gap(record.stream, tag_in_tree(record.execution, "") if whole and record.stream else "")
        return None, counter.lines
    tag = tag_in_tree(record.execution, record.tag) if whole else record.tag
    return counter.take(record.stream, tag, record.payload)


class _Begun:
    """A line that is being assembled. If it has more than `most` bytes (None: no bound), it keeps the first ones; if
    carriage returns overwrite it again and again, it keeps the last ones, which a terminal would show."""

    __slots__ = ("_end", "_length", "_most", "_parts", "_size", "record")

    def __init__(self, record: Record, most: int | None) -> None:
        self.record = record
        self._most = most
        self._parts: list[bytes] = []
        self._length = 0
        self._size = 0
        self._end = b""

    def add(self, part: bytes) -> None:
        """Adds the next bytes of the line."""
        self._size += len(part)
        if self._most is None:
            self._parts.append(part)
            self._length += len(part)
            return
        ends = part.endswith(b"\n")
        text = part[:-1] if ends else part
        room = max(0, self._most - self._length)
        self._parts.append(text[:room] + (b"\n" if ends else b""))
        self._length += len(self._parts[-1])
        if room < len(text) or self._end:
            self._end = ((self._end or b"".join(self._parts[:-1])) + text)[-self._most :]

    def line(self, number: int) -> Line:
        """Returns the line as far as it has been printed."""
        record, data = self.record, b"".join(self._parts)
        left = self._size - self._length
        back = self._end.find(b"\r", 0, len(self._end) - 1)
        if left and back >= 0:
            data = self._end[back:] + (b"\n" if data.endswith(b"\n") else b"")
            left = self._size - len(data)
        return Line(number, record.stream, record.tag, record.time, record.end, data, left, bool(left and back >= 0))


class Assembler:
    """Assembles the lines `first` to `last` from the records that follow those which `counter` has counted.

    `streams` (None: all) selects the lines; their numbers do not depend on it. `whole`: the lines are those of a whole
    tree. Each line keeps at most `most` bytes (None: all). `missing` lists the output left out behind these lines.
    """

    def __init__(
        self,
        counter: LineCounter,
        first: int,
        last: int,
        streams: Collection[int] | None = None,
        *,
        whole: bool = False,
        most: int | None = None,
    ) -> None:
        self._counter = counter
        self._first = first
        self._last = last
        self._streams = streams
        self._whole = whole
        self._most = most
        self._begun: dict[int, _Begun] = {}
        self.missing: list[Missing] = []

    @property
    def whole(self) -> bool:
        """True if all of the lines have begun and ended: no later record belongs to them."""
        return self._counter.lines >= self._last and not any(
            number <= self._last and number in self._begun for number in self._counter.open.values()
        )

    @property
    def counted(self) -> int:
        """The number of lines that have begun so far."""
        return self._counter.lines

    @property
    def ended(self) -> int:
        """The number below which all requested lines have ended."""
        begun = [number for number in self._counter.open.values() if number in self._begun]
        return min(begun, default=min(self._counter.lines, self._last) + 1)

    def skip(self, counter: LineCounter) -> None:
        """Continues with `counter`, which has counted records that hold no part of these lines."""
        self._counter = counter

    def take(self, record: Record) -> None:
        """Takes the execution's next record."""
        if record.kind not in (journal.OUTPUT, journal.GAP):
            return
        open_line, before = count_record(self._counter, record, self._whole)
        if record.kind == journal.GAP:
            ours = self._streams is None or not record.stream or record.stream in self._streams
            if ours and (self._first if self._first > 1 else 0) <= before <= self._last:
                self.missing.append(Missing(before, record.stream, bytes(record.payload)))
            return
        if self._streams is not None and record.stream not in self._streams:
            return
        if self._counter.lines < self._first and (open_line is None or open_line < self._first):
            return
        if before >= self._last and (open_line is None or open_line > self._last):
            return
        self._cut(record, open_line, before)

    def _cut(self, record: Record, open_line: int | None, before: int) -> None:
        data = bytes(record.payload)
        at = 0
        if open_line is not None:
            at = _behind_newline(data, 0)
            if open_line in self._begun:
                self._begun[open_line].add(data[:at])
        number = before + 1
        while at < len(data) and number <= self._last:
            end = _behind_newline(data, at)
            if number >= self._first:
                begun = self._begun[number] = _Begun(record, self._most)
                begun.add(data[at:end])
            at, number = end, number + 1

    def lines(self) -> Iterator[Line]:
        """Yields the lines by number; of an open line the bytes so far."""
        for _, line in self.rows():
            yield line

    def rows(self) -> Iterator[tuple[str, Line]]:
        """Yields the lines as `lines` does, each with the id of its execution."""
        for number in sorted(self._begun):
            begun = self._begun[number]
            yield begun.record.execution, begun.line(number)


def _behind_newline(data: bytes, at: int) -> int:
    newline = data.find(b"\n", at)
    return newline + 1 if newline >= 0 else len(data)


class LineStream:
    """Cuts the records of a followed execution into lines: `take` returns a line when it is complete.

    A line of more than `most` bytes is returned in pieces with the same number.
    """

    def __init__(
        self,
        counter: LineCounter,
        begun: Collection[Line] = (),
        streams: Collection[int] | None = None,
        most: int = 1 << 20,
    ) -> None:
        self._counter = counter
        self._streams = streams
        self._most = most
        selected = [line for line in begun if streams is None or line.stream in streams]
        self._open: dict[Key, Line] = {(line.stream, line.tag): line for line in selected}

    def take(self, record: Record) -> list[Line]:
        """Takes the next record; returns the lines that it completes."""
        if record.kind == journal.GAP:
            ended = [key for key in self._open if not record.stream or key[0] == record.stream]
            self._counter.gap(record.stream)
            return [self._open.pop(key) for key in ended]
        if record.kind != journal.OUTPUT or not record.payload:
            return []
        open_line, number = self._counter.take(record.stream, record.tag, record.payload)
        if self._streams is not None and record.stream not in self._streams:
            return []
        key = (record.stream, record.tag)
        complete: list[Line] = []
        for data in _pieces(bytes(record.payload)):
            if open_line is not None:
                line = self._open.pop(key, None)
                line = line or Line(open_line, record.stream, record.tag, record.time, record.end, b"")
                line, open_line = line._replace(data=line.data + data), None
            else:
                number += 1
                line = Line(number, record.stream, record.tag, record.time, record.end, data)
            if line.complete or len(line.data) >= self._most:
                complete.append(line)
            else:
                self._open[key] = line
        return complete

    def rest(self) -> list[Line]:
        """Returns the open lines by number. At the end of the output they are final."""
        return sorted(self._open.values())


def _pieces(data: bytes) -> list[bytes]:
    """Splits `data` into lines, each with its newline."""
    parts = data.split(b"\n")
    whole = [part + b"\n" for part in parts[:-1]]
    return [*whole, parts[-1]] if parts[-1] else whole
