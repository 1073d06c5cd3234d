"""The line index of a journal: the number of lines and bytes that each execution had printed, about every 256 KiB.

The index is a side file that processes only append to. The first request about lines creates it. If it is missing,
torn, or belongs to another journal, it is built again. Reading a journal does not need it: it only gives starting
points.

The file is a head with the journal's nonce, then chunks: length, checksum, and the changes since the previous chunk.
An incomplete chunk ends the file, and the records behind it are counted again.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from squall.adapters.journal import reading
from squall.adapters.journal.sources import Source
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.lines import LineCounter, count_record, tag_in_tree

STRIDE = 256 << 10
"""Bytes of an execution's output between two marks."""

_MAGIC = b"sqlines2"
_CHUNK = struct.Struct("<II")
_READ = 1 << 20
_WRITE_AFTER = 4 << 20
_MOST_CHUNK = 64 << 20
_SMALL = 1 << 20
"""The size limit in bytes: smaller journals have no side file, because counting them takes no time."""

_MOST_PLACES = 100

TREE = ""
"""The key of the whole tree in place of an execution: all its lines, in the order in which they begin."""


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """One execution's state behind one of its records: that record's start (`last`) and end (`position`), which are 0
    before its first record; the record's time (µs), the lines begun so far, the bytes printed and the lines begun on
    each stream (by number), the open lines as (stream, tag, number), and the number of gap records."""

    last: int = 0
    position: int = 0
    time: int = 0
    lines: int = 0
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    open: tuple[tuple[int, str, int], ...] = ()
    line_counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    gaps: int = 0

    def rows(self, streams: Collection[int] | None) -> int:
        """Returns the number of lines begun on these streams (None: on all)."""
        return self.lines if streams is None else sum(self.line_counts[stream] for stream in streams)

    def printed(self, streams: Collection[int]) -> int:
        """Returns the number of bytes printed on these streams."""
        return sum(self.sizes[stream] for stream in streams)

    def counter(self) -> LineCounter:
        """Returns a counter that continues from this state."""
        return LineCounter(self.lines, {(stream, tag): number for stream, tag, number in self.open})


class Tally(msgspec.Struct, array_like=True, frozen=True):
    """The sums of one execution's output so far. `now` is its latest state. `first` is the offset of its first record,
    `began` that record's time (µs). `missing` counts the bytes that gap records report as lost. `places` holds the
    numbers of the lines before the first gaps."""

    now: Mark
    first: int = 0
    began: int = 0
    missing: int = 0
    places: tuple[int, ...] = ()


class _Chunk(msgspec.Struct, array_like=True):
    """One append to the side file: the position up to which records are counted, the new marks, and the changed
    tallies. `last` is the offset of the last counted frame, `frame` its head. If the journal holds another head there,
    a loss of power took back counted records."""

    counted: int
    marks: list[tuple[str, Mark]]
    tallies: dict[str, Tally]
    last: int = 0
    frame: bytes = b""


class _Count:
    """The running count of one execution, or of a whole tree."""

    __slots__ = ("counter", "line_counts", "since", "sizes", "tally", "whole")

    def __init__(self, tally: Tally, since: int, whole: bool) -> None:
        self.whole = whole
        self.tally = tally
        self.counter = tally.now.counter()
        self.sizes = list(tally.now.sizes)
        self.line_counts = list(tally.now.line_counts)
        self.since = since

    def take(self, record: Record) -> None:
        """Counts an output or gap record."""
        tally = self.tally
        gaps, missing, places = tally.now.gaps, tally.missing, tally.places
        before = self.counter.lines
        count_record(self.counter, record, self.whole)
        if record.kind == journal.GAP:
            gaps, missing = gaps + 1, missing + _missing(record)
            places = (*places, before) if len(places) < _MOST_PLACES else places
        else:
            self.line_counts[record.stream] += self.counter.lines - before
            self.sizes[record.stream] += len(record.payload)
            self.since += len(record.payload)
        one, two, three, four = self.sizes
        none, out, err, other = self.line_counts
        own = record.kind == journal.OUTPUT or record.stream
        now = Mark(
            record.start if own else tally.now.last,
            record.end if own else tally.now.position,
            record.time or tally.now.time,
            self.counter.lines,
            (one, two, three, four),
            tuple((*key, number) for key, number in self.counter.open.items()),
            (none, out, err, other),
            gaps,
        )
        first = tally.first or record.start
        self.tally = Tally(now, first, tally.began or record.time, missing, places)


def _missing(record: Record) -> int:
    gap = msgspec.json.decode(record.payload)
    return int(gap.get("bytes") or 0) if isinstance(gap, dict) else 0


class LineIndex:
    """The index of one journal: the part that has been counted is in memory. `path` is its side file.

    As soon as a second execution prints, the tree has marks and a tally too, under the key `TREE`.

    Only one thread may use an index; several processes may write the same file.
    """

    def __init__(self, source: Source, path: Path) -> None:
        self.source = source
        self._path = path
        self.counted = journal.HEADER_SIZE
        self.tallies: dict[str, Tally] = {}
        self._marks: dict[str, list[Mark]] = {}
        self._counts: dict[str, _Count] = {}
        self._new_marks: list[tuple[str, Mark]] = []
        self._changed: set[str] = set()
        self._file_end = 0
        self._size = 0
        self._saved = journal.HEADER_SIZE
        self._last = 0
        self._load()

    # -- queries

    def marks(self, execution: str) -> list[Mark]:
        """Returns the execution's marks. The first one is the state before its first record."""
        return [Mark(), *self._marks.get(execution, ())]

    def executions(self) -> list[str]:
        """Returns the executions that have printed something."""
        return [execution for execution in self.tallies if execution != TREE]

    # -- counting

    def catch_up(self, head: int, more: Callable[[], bool]) -> bool:
        """Counts the journal's records up to `head` while `more()` is true. Returns True if all are counted.

        Raises `OSError` if the journal cannot be read. Failure to write the side file is not an error.
        """
        while self.counted < head:
            if not more():
                self._append_chunk()
                return False
            batch = reading.read(self.source, self.source.pread, head, self.counted, _READ)
            if batch.position == self.counted:
                break
            for record in batch.records:
                self._take(record)
                self._last = record.start
            self.counted = batch.position
            if self.counted - self._saved >= _WRITE_AFTER:
                self._append_chunk()
        return True

    def keep(self) -> None:
        """Writes all counts to the side file, however few they are. Call it when counting stops for now."""
        self._append_chunk()

    def _take(self, record: Record) -> None:
        if record.kind == journal.GAP and not record.stream:
            for execution in self.tallies:
                self._count(execution).take(record)
                self._settle(execution)
        elif record.kind in (journal.OUTPUT, journal.GAP):
            if TREE not in self.tallies and self.tallies and record.execution not in self.tallies:
                self._begin_tree()
            self._add(record.execution, record)
            if TREE in self.tallies:
                self._add(TREE, record)

    def _add(self, execution: str, record: Record) -> None:
        count = self._count(execution)
        if count.since >= STRIDE:
            mark = count.tally.now
            self._marks.setdefault(execution, []).append(mark)
            self._new_marks.append((execution, mark))
            count.since = 0
        count.take(record)
        self._settle(execution)

    def _begin_tree(self) -> None:
        """Creates the tree's tally from that of the only execution that has printed so far."""
        ((execution, tally),) = self.tallies.items()

        def widened(mark: Mark) -> Mark:
            opened = tuple((stream, tag_in_tree(execution, tag), number) for stream, tag, number in mark.open)
            return msgspec.structs.replace(mark, open=opened)

        marks = [widened(mark) for mark in self._marks.get(execution, ())]
        self._marks[TREE] = marks
        self._new_marks += [(TREE, mark) for mark in marks]
        self.tallies[TREE] = msgspec.structs.replace(tally, now=widened(tally.now))
        self._changed.add(TREE)

    def _count(self, execution: str) -> _Count:
        count = self._counts.get(execution)
        if count is None:
            tally = self.tallies.get(execution, Tally(Mark()))
            last = self.marks(execution)[-1]
            since = sum(tally.now.sizes) - sum(last.sizes)
            count = self._counts[execution] = _Count(tally, since, execution == TREE)
        return count

    def _settle(self, execution: str) -> None:
        self.tallies[execution] = self._counts[execution].tally
        self._changed.add(execution)

    # -- the side file

    def _head(self) -> bytes:
        return _MAGIC + self.source.nonce

    def _load(self) -> None:
        try:
            data = self._path.read_bytes()
        except OSError:
            return
        head = self._head()
        self._size = len(data)
        if not data.startswith(head):
            return
        at, frame = len(head), b""
        while (unpacked := _unpack(data, at)) is not None:
            chunk, at = unpacked
            self.counted = self._saved = chunk.counted
            self._last = chunk.last
            frame = chunk.frame
            self.tallies.update(chunk.tallies)
            for execution, mark in chunk.marks:
                self._marks.setdefault(execution, []).append(mark)
            self._file_end = at
        if self._file_end and (self.counted > self.source.committed or self._frame(self._last) != frame):
            # A loss of power took back records that were counted, so no count can be trusted.
            self.tallies, self._marks, self._file_end, self._last = {}, {}, 0, 0
            self.counted = self._saved = journal.HEADER_SIZE

    def _frame(self, at: int) -> bytes:
        return bytes(self.source.pread(at, journal.FRAME_SIZE)) if at else b""

    def _append_chunk(self) -> None:
        """Appends the new counts to the side file. If another process writes the file, this one does not."""
        if self.counted == self._saved or self.counted < _SMALL or self.source.stale():
            # If the journal has been moved or removed, the next process that opens it counts the rest.
            return
        changed = {execution: self.tallies[execution] for execution in self._changed}
        chunk = _Chunk(self.counted, self._new_marks, changed, self._last, self._frame(self._last))
        data = _pack(chunk)
        self._new_marks, self._changed, self._saved = [], set(), self.counted
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_size != self._size:
                # Another process has appended to the file; its counts are as good.
                return
            if self._file_end == 0:
                data = self._head() + data
            if os.pwrite(descriptor, data, self._file_end) == len(data):
                self._file_end += len(data)
                os.ftruncate(descriptor, self._file_end)
                self._size = self._file_end
        except OSError:
            # Another process is writing the file, or the disk is full. The counts in memory stay correct.
            return
        finally:
            os.close(descriptor)


def _pack(chunk: _Chunk) -> bytes:
    body = zlib.compress(msgspec.msgpack.encode(chunk), 1)
    return _CHUNK.pack(len(body), zlib.crc32(body)) + body


def _unpack(data: bytes, at: int) -> tuple[_Chunk, int] | None:
    """Returns the chunk at offset `at` and the offset of the next one; None if there is no whole chunk."""
    if at + _CHUNK.size > len(data):
        return None
    length, checksum = _CHUNK.unpack_from(data, at)
    body = data[at + _CHUNK.size : at + _CHUNK.size + length]
    if length > _MOST_CHUNK or len(body) < length or zlib.crc32(body) != checksum:
        return None
    try:
        return msgspec.msgpack.decode(zlib.decompress(body), type=_Chunk), at + _CHUNK.size + length
    except (msgspec.MsgspecError, zlib.error):
        return None
