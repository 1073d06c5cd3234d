"""The line index of a journal: how many lines and bytes each execution had printed at places about 256 KiB apart.

It is a side file that is only ever appended to, made by whoever asks about lines, and made again where it is missing,
torn, or another journal's. Nothing in it is needed to read a journal; it only tells where to begin.

The file is a head with the journal's nonce, then chunks: length, checksum, and what has become known since the chunk
before. A chunk that is not whole ends the file: what stood behind it is counted again.
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
"""Journals of fewer bytes have no side file: they are counted in no time."""

_MOST_PLACES = 100

TREE = ""
"""What stands for an execution where the lines of all of a tree are meant, in the order in which they begin."""


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """One execution's state behind a record of its: that record's start (`last`) and end (`position`; zeros before its
    first), its time (µs), the lines that have begun, the bytes printed and the lines begun on each stream (by number),
    the open lines as (stream, tag, number), and how many gap records there were."""

    last: int = 0
    position: int = 0
    time: int = 0
    lines: int = 0
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    open: tuple[tuple[int, str, int], ...] = ()
    line_counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    gaps: int = 0

    def rows(self, streams: Collection[int] | None) -> int:
        """How many lines have begun on these streams (None: on all)."""
        return self.lines if streams is None else sum(self.line_counts[stream] for stream in streams)

    def printed(self, streams: Collection[int]) -> int:
        """How many bytes were printed on these streams."""
        return sum(self.sizes[stream] for stream in streams)

    def counter(self) -> LineCounter:
        """A counter that goes on from here."""
        return LineCounter(self.lines, {(stream, tag): number for stream, tag, number in self.open})


class Tally(msgspec.Struct, array_like=True, frozen=True):
    """What one execution has printed so far: `now` is its latest state, `first` where its first record starts and
    `began` that record's time; `missing` counts the bytes that gap records tell of; `places` are the lines behind which
    the first of them are."""

    now: Mark
    first: int = 0
    began: int = 0
    missing: int = 0
    places: tuple[int, ...] = ()


class _Chunk(msgspec.Struct, array_like=True):
    """What is appended at once: how far the journal has been counted, the new marks, and the tallies that changed.
    `last` is where the last frame starts that was counted, `frame` its head: if that is another one by now, a loss of
    power has taken back what was counted."""

    counted: int
    marks: list[tuple[str, Mark]]
    tallies: dict[str, Tally]
    last: int = 0
    frame: bytes = b""


class _Count:
    """The counting of one execution, or of a whole tree."""

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
    told = msgspec.json.decode(record.payload)
    return int(told.get("bytes") or 0) if isinstance(told, dict) else 0


class LineIndex:
    """The index of one journal, in memory as far as it has been counted. `path` is its side file.

    From the second execution on that prints, the tree has marks and a tally as well: those of `TREE`.

    One thread uses it; several processes may keep the same file.
    """

    def __init__(self, source: Source, path: Path) -> None:
        self.source = source
        self._path = path
        self.counted = journal.HEADER_SIZE
        self.tallies: dict[str, Tally] = {}
        self._marks: dict[str, list[Mark]] = {}
        self._counts: dict[str, _Count] = {}
        self._fresh: list[tuple[str, Mark]] = []
        self._changed: set[str] = set()
        self._kept = 0
        self._size = 0
        self._written = journal.HEADER_SIZE
        self._last = 0
        self._load()

    # -- asking

    def marks(self, execution: str) -> list[Mark]:
        """The execution's marks, the state before its first record among them."""
        return [Mark(), *self._marks.get(execution, ())]

    def executions(self) -> list[str]:
        """Those that have printed something."""
        return [each for each in self.tallies if each != TREE]

    # -- counting

    def catch_up(self, head: int, more: Callable[[], bool]) -> bool:
        """Counts what the journal has got up to `head`, for as long as `more` allows; whether all of it is counted.

        Raises `OSError` when the journal cannot be read. That the side file cannot be written is no error.
        """
        while self.counted < head:
            if not more():
                self._keep()
                return False
            batch = reading.read(self.source, self.source.pread, head, self.counted, _READ)
            if batch.position == self.counted:
                break
            for record in batch.records:
                self._take(record)
                self._last = record.start
            self.counted = batch.position
            if self.counted - self._written >= _WRITE_AFTER:
                self._keep()
        return True

    def keep(self) -> None:
        """Writes down what has been counted, however little it is: nothing more will come for now."""
        self._keep()

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
            self._fresh.append((execution, mark))
            count.since = 0
        count.take(record)
        self._settle(execution)

    def _begin_tree(self) -> None:
        """So far only one execution has printed: its lines are the first ones of the tree."""
        ((only, tally),) = self.tallies.items()

        def widened(mark: Mark) -> Mark:
            opened = tuple((stream, tag_in_tree(only, tag), number) for stream, tag, number in mark.open)
            return msgspec.structs.replace(mark, open=opened)

        marks = [widened(mark) for mark in self._marks.get(only, ())]
        self._marks[TREE] = marks
        self._fresh += [(TREE, mark) for mark in marks]
        self.tallies[TREE] = msgspec.structs.replace(tally, now=widened(tally.now))
        self._changed.add(TREE)

    def _count(self, execution: str) -> _Count:
        found = self._counts.get(execution)
        if found is None:
            tally = self.tallies.get(execution, Tally(Mark()))
            last = self.marks(execution)[-1]
            since = sum(tally.now.sizes) - sum(last.sizes)
            found = self._counts[execution] = _Count(tally, since, execution == TREE)
        return found

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
        while (found := _unpack(data, at)) is not None:
            chunk, at = found
            self.counted = self._written = chunk.counted
            self._last = chunk.last
            frame = chunk.frame
            self.tallies.update(chunk.tallies)
            for execution, mark in chunk.marks:
                self._marks.setdefault(execution, []).append(mark)
            self._kept = at
        if self._kept and (self.counted > self.source.committed or self._frame(self._last) != frame):
            # Counted from what a loss of power has taken back: none of it can be trusted.
            self.tallies, self._marks, self._kept, self._last = {}, {}, 0, 0
            self.counted = self._written = journal.HEADER_SIZE

    def _frame(self, at: int) -> bytes:
        return bytes(self.source.pread(at, journal.FRAME_SIZE)) if at else b""

    def _keep(self) -> None:
        """Appends what is new. Where another process keeps the same file, one of the two is enough."""
        if self.counted == self._written or self.counted < _SMALL or self.source.stale():
            # Of a journal that has been moved or removed meanwhile, whoever opens it again counts the rest.
            return
        changed = {each: self.tallies[each] for each in self._changed}
        chunk = _Chunk(self.counted, self._fresh, changed, self._last, self._frame(self._last))
        data = _pack(chunk)
        self._fresh, self._changed, self._written = [], set(), self.counted
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_size != self._size:
                # Another process has gone on with it: what that writes is as good.
                return
            if self._kept == 0:
                data = self._head() + data
            if os.pwrite(descriptor, data, self._kept) == len(data):
                self._kept += len(data)
                os.ftruncate(descriptor, self._kept)
                self._size = self._kept
        except OSError:
            # Somebody else writes it just now, or the disk is full: what is in memory is right all the same.
            return
        finally:
            os.close(descriptor)


def _pack(chunk: _Chunk) -> bytes:
    body = zlib.compress(msgspec.msgpack.encode(chunk), 1)
    return _CHUNK.pack(len(body), zlib.crc32(body)) + body


def _unpack(data: bytes, at: int) -> tuple[_Chunk, int] | None:
    """The chunk at `at` and where the next one starts; None where none is whole."""
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
