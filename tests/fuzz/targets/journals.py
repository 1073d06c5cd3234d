"""Journals as a disk may give them back: their header, their frames, their sealed form, and the lines in them."""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.contract import Run, Target

from squall.adapters.journal import reading
from squall.adapters.journal.container import BlockCache, Container
from squall.adapters.journal.lines import index
from squall.adapters.journal.sources import SealedSource
from squall.core.output import journal, sealed
from squall.core.output.lines import Assembler, LineCounter, LineStream

NONCE = b"fuzz" + bytes(12)
TREE = "ab" * 12
ONE_READ = 4 << 10


class Bytes:
    """A `Source` of bytes in memory, which begin behind the header."""

    closing = 0
    place = "file"
    tree = TREE
    nonce = NONCE
    seed = journal.checksum_seed(NONCE)

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def committed(self) -> int:
        return journal.HEADER_SIZE + len(self._body)

    def pread(self, at: int, length: int) -> bytes:
        at -= journal.HEADER_SIZE
        return self._body[at : at + length] if at >= 0 else b""

    pread_now = pread

    def chain(self, execution: str) -> tuple[int, array[int] | None]:
        return -1, None

    def stale(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


def header(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        page = data.ljust(journal.HEADER_SIZE, b"\0")
        for candidate in (page, with_checksum(page)):
            try:
                read = journal.unpack_header(candidate)
            except journal.NotAJournalError:
                continue
            assert read.committed == 0 or read.committed >= journal.HEADER_SIZE
            assert read.closing <= read.committed
            journal.file_name(read.tree)
        journal.unpack_commit(data, None)

    return run


def with_checksum(page: bytes) -> bytes:
    """The page with the start of a journal and a right checksum over what never changes in it."""
    page = b"squall\r\n" + struct.pack("<I", 2) + page[12:]
    checksum = zlib.crc32(page[60:64], zlib.crc32(page[:56]))
    checksum = zlib.crc32(page[journal.COMMIT_OFFSET + journal.COMMIT_SIZE : journal.HEADER_SIZE], checksum)
    return page[:56] + struct.pack("<I", checksum) + page[60:]


def records(source: Bytes) -> Iterator[journal.Record]:
    position = journal.HEADER_SIZE
    while position < source.committed:
        batch = reading.read(source, source.pread, source.committed, position, ONE_READ)
        assert batch.position > position, "a reader would never end"
        position = batch.position
        yield from batch.records


def frames(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        source = Bytes(data)
        for record in journal.unpack_frames(data, journal.HEADER_SIZE, NONCE):
            assert record.start < record.end <= source.committed
        journal.find_frame(data, 0, NONCE, source.seed, journal.HEADER_SIZE)
        every = list(records(source))
        lines, assembler = LineStream(LineCounter(), most=1000), Assembler(LineCounter(), 1, 1 << 40, most=1000)
        for record in every:
            if record.kind != journal.GAP or not record.execution.strip("0"):
                lines.take(record)
                assembler.take(record)
        list(assembler.rows())
        lines.rest()
        at = int.from_bytes(data[-2:], "big")
        marks = reading.marks_of(source, source.pread, at)
        reading.read_chain(source, source.pread, source.committed, marks, TREE, 0, 1 << 20)
        reading.read_last(source, source.pread, at, {1: 1000, 2: 1000})
        reading.check(source, source.pread, source.committed, at)

    return run


def container(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        parts = Container(lambda at, length: data[at : at + length] if at >= 0 else b"", len(data))
        source = SealedSource(parts, BlockCache(4), "file", lambda: False, lambda: None)
        for at in (0, journal.HEADER_SIZE, source.committed // 2, source.committed - 10):
            if 0 <= at < source.committed:
                source.pread(at, ONE_READ)
        source.chain(TREE)
        source.faults()
        sealed.unpack_table(data)

    return run


def chunks(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        # The checksum is right here: a fuzzer cannot find one.
        index._unpack(struct.pack("<II", len(data), zlib.crc32(data)) + data, 0)
        index._unpack(data, 0)

    return run


TARGETS = (
    Target("journal_header", header),
    Target("journal_frames", frames, largest=16 << 10, words=(NONCE[:4], TREE[:12].encode())),
    Target("journal_sealed", container, (sealed.NotSealedError, OSError), largest=16 << 10),
    Target("journal_index", chunks),
)
