"""Lines of output: what counts as one, which number it has, and which bytes are in it.

A line is counted per execution, in the order of its journal, over all its streams. It begins when its first byte is
stored and ends behind its newline, or where its stream ends; a carriage return does not end it. Each stream (of each
tag) has a line of its own that is open at a time: of `ab` on stdout, `x\\n` on stderr and `c\\n` on stdout, line 1 is
`abc\\n` and line 2 is `x\\n`. So a number never changes, whatever else is printed and whatever a reader leaves out.

Where output was left out (a gap), the open line of that stream ends: what comes behind begins a new one.

The lines of a whole tree are counted alike, over all its executions, in the order in which they begin in its journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from squall.core.output import journal
from squall.core.output.journal import Record

Key = tuple[int, str]
"""A stream, by its number, and a tag: what has lines of its own."""


class Line(NamedTuple):
    """One line. `position` is where the record ends in which it began, and `time` that record's (µs); `data` are its
    bytes with the newline, if it has one already. `left` of them are left out: before the newline, or (`from_end`) at
    the beginning."""

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
        """Whether its newline has been printed."""
        return self.data.endswith(b"\n")


class Missing(NamedTuple):
    """Output that was left out behind the line `after` (0: before the first one): of a stream (0: of all), and what the
    journal tells of it, as JSON."""

    after: int
    stream: int
    told: bytes


class LineCounter:
    """Counts the lines of one execution. `lines` have begun so far; `open` holds the numbers of those without an end.

    Give it every output and gap record of the execution in their order.
    """

    __slots__ = ("lines", "open")

    def __init__(self, lines: int = 0, open_lines: dict[Key, int] | None = None) -> None:
        self.lines = lines
        self.open: dict[Key, int] = dict(open_lines or {})

    def take(self, stream: int, tag: str, payload: bytes | memoryview) -> tuple[int | None, int]:
        """Counts what was printed; gives the number of the line that its first bytes go on with (None if they begin
        one), and the number of lines before the first that begins in it."""
        key = (stream, tag)
        going_on, before = self.open.get(key), self.lines
        if not payload:
            return going_on, before
        pieces = bytes(payload).count(b"\n")
        if payload[-1] == 10:
            self.open.pop(key, None)
            self.lines += pieces - (going_on is not None)
        else:
            self.lines += pieces + 1 - (going_on is not None)
            self.open[key] = going_on if going_on is not None and not pieces else self.lines
        return going_on, before

    def gap(self, stream: int, within: str = "") -> None:
        """Ends the open lines of a stream, or of all with stream 0: those whose tags begin with `within`."""
        for key in [key for key in self.open if not stream or key[0] == stream]:
            if key[1].startswith(within):
                del self.open[key]


def tag_in_tree(execution: str, tag: str) -> str:
    """What stands for a tag where the lines of a whole tree are counted: every execution has lines of its own."""
    return f"{execution}/{tag}"


def count_record(counter: LineCounter, record: Record, whole: bool) -> tuple[int | None, int]:
    """Has an output or gap record counted, among the lines of its whole tree if `whole`; gives what `take` gives."""
    if record.kind == journal.GAP:
        # One without a stream is the whole journal's.
        counter.gap(record.stream, tag_in_tree(record.execution, "") if whole and record.stream else "")
        return None, counter.lines
    tag = tag_in_tree(record.execution, record.tag) if whole else record.tag
    return counter.take(record.stream, tag, record.payload)


class _Begun:
    """A line that is being put together. Of more than `most` bytes (None: no bound) the first ones are kept, or the
    last ones if it goes back to its beginning again and again: what a terminal shows of it then."""

    __slots__ = ("_end", "_kept", "_most", "_parts", "_size", "record")

    def __init__(self, record: Record, most: int | None) -> None:
        self.record = record
        self._most = most
        self._parts: list[bytes] = []
        self._kept = 0
        self._size = 0
        self._end = b""

    def add(self, part: bytes) -> None:
        """Takes what it goes on with."""
        self._size += len(part)
        if self._most is None:
            self._parts.append(part)
            self._kept += len(part)
            return
        ends = part.endswith(b"\n")
        text = part[:-1] if ends else part
        room = max(0, self._most - self._kept)
        self._parts.append(text[:room] + (b"\n" if ends else b""))
        self._kept += len(self._parts[-1])
        if room < len(text) or self._end:
            self._end = ((self._end or b"".join(self._parts[:-1])) + text)[-self._most :]

    def line(self, number: int) -> Line:
        """What there is of it."""
        record, data = self.record, b"".join(self._parts)
        left = self._size - self._kept
        back = self._end.find(b"\r", 0, len(self._end) - 1)
        if left and back >= 0:
            data = self._end[back:] + (b"\n" if data.endswith(b"\n") else b"")
            left = self._size - len(data)
        return Line(number, record.stream, record.tag, record.time, record.end, data, left, bool(left and back >= 0))


class Assembler:
    """Puts the lines with the numbers `first` to `last` together, from records that follow what `counter` has counted.

    `streams` (None: all) are those that are wanted; the numbers do not depend on it. `whole`: they are lines of a whole
    tree. Of a line at most `most` bytes are kept (None: all). `missing` is what was left out behind these lines.
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
        """Whether all of the lines have begun and ended: nothing that comes later belongs to them."""
        return self._counter.lines >= self._last and not any(
            number <= self._last and number in self._begun for number in self._counter.open.values()
        )

    @property
    def counted(self) -> int:
        """How many lines have begun so far."""
        return self._counter.lines

    @property
    def ended(self) -> int:
        """The number before which all lines that are wanted have ended."""
        begun = [number for number in self._counter.open.values() if number in self._begun]
        return min(begun, default=min(self._counter.lines, self._last) + 1)

    def skip(self, counter: LineCounter) -> None:
        """Goes on where `counter` stands: what lies between holds nothing that is wanted."""
        self._counter = counter

    def take(self, record: Record) -> None:
        """The execution's next record."""
        if record.kind not in (journal.OUTPUT, journal.GAP):
            return
        going_on, before = count_record(self._counter, record, self._whole)
        if record.kind == journal.GAP:
            ours = self._streams is None or not record.stream or record.stream in self._streams
            if ours and (self._first if self._first > 1 else 0) <= before <= self._last:
                self.missing.append(Missing(before, record.stream, bytes(record.payload)))
            return
        if self._streams is not None and record.stream not in self._streams:
            return
        if self._counter.lines < self._first and (going_on is None or going_on < self._first):
            return
        if before >= self._last and (going_on is None or going_on > self._last):
            return
        self._cut(record, going_on, before)

    def _cut(self, record: Record, going_on: int | None, before: int) -> None:
        data = bytes(record.payload)
        at = 0
        if going_on is not None:
            at = _behind_newline(data, 0)
            if going_on in self._begun:
                self._begun[going_on].add(data[:at])
        number = before + 1
        while at < len(data) and number <= self._last:
            end = _behind_newline(data, at)
            if number >= self._first:
                begun = self._begun[number] = _Begun(record, self._most)
                begun.add(data[at:end])
            at, number = end, number + 1

    def lines(self) -> Iterator[Line]:
        """The lines, by number. Of one that is still open what there is so far."""
        for _, line in self.rows():
            yield line

    def rows(self) -> Iterator[tuple[str, Line]]:
        """The lines as `lines` gives them, each with its execution."""
        for number in sorted(self._begun):
            begun = self._begun[number]
            yield begun.record.execution, begun.line(number)


def _behind_newline(data: bytes, at: int) -> int:
    found = data.find(b"\n", at)
    return found + 1 if found >= 0 else len(data)


class LineStream:
    """Cuts records into lines as they come, for who follows: a line is given when it is complete.

    What is open for longer than `most` bytes is given in pieces with the same number.
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
        wanted = [line for line in begun if streams is None or line.stream in streams]
        self._open: dict[Key, Line] = {(line.stream, line.tag): line for line in wanted}

    def take(self, record: Record) -> list[Line]:
        """The lines that are complete with this record."""
        if record.kind == journal.GAP:
            ended = [key for key in self._open if not record.stream or key[0] == record.stream]
            self._counter.gap(record.stream)
            return [self._open.pop(key) for key in ended]
        if record.kind != journal.OUTPUT or not record.payload:
            return []
        going_on, number = self._counter.take(record.stream, record.tag, record.payload)
        if self._streams is not None and record.stream not in self._streams:
            return []
        key = (record.stream, record.tag)
        found: list[Line] = []
        for data in _pieces(bytes(record.payload)):
            if going_on is not None:
                line = self._open.pop(key, None)
                line = line or Line(going_on, record.stream, record.tag, record.time, record.end, b"")
                line, going_on = line._replace(data=line.data + data), None
            else:
                number += 1
                line = Line(number, record.stream, record.tag, record.time, record.end, data)
            if line.complete or len(line.data) >= self._most:
                found.append(line)
            else:
                self._open[key] = line
        return found

    def rest(self) -> list[Line]:
        """The lines that are open, by number: at the end they are all there is of them."""
        return sorted(self._open.values())


def _pieces(data: bytes) -> list[bytes]:
    """The lines in `data`, each with its newline."""
    parts = data.split(b"\n")
    whole = [part + b"\n" for part in parts[:-1]]
    return [*whole, parts[-1]] if parts[-1] else whole
