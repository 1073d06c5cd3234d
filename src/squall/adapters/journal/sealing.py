"""Seals live journals, unseals sealed ones, and examines journals for damage.

All functions work block by block. Memory grows with the number of executions in the journal, not with its length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.sources import LiveSource, SealedSource, Source
from squall.core.output import journal, sealed
from squall.ports import Verdict

_LEVEL = 3
_MOST_FAULTS = 20


class SealResult(NamedTuple):
    """The result of sealing: the bytes of the journal, the bytes of its sealed form, and its SHA-256 in hex."""

    size: int
    stored: int
    digest: str


_Note = Callable[[memoryview, int, int, int, int, bytes, int], None]
"""A function that receives a frame: bytes, the frame's start in them, the journal offset of the first byte; the frame's
length, kind, execution and time."""


class _Frames:
    """Finds the records in consecutive blocks. Skips damaged stretches and notes them in `holes`."""

    def __init__(self, source: Source, size: int, note: _Note) -> None:
        self._source = source
        self._size = size
        self._note = note
        self._next = journal.HEADER_SIZE
        self._rest = b""
        self.holes: list[tuple[int, int]] = []

    def feed(self, block: bytes | memoryview, at: int) -> None:
        """Reads the journal's next block, which starts at offset `at`: the end of the previous block."""
        base = at - len(self._rest)
        view = memoryview(self._rest + bytes(block) if self._rest else block)
        marker, note, size = self._source.nonce[:4], self._note, len(view)
        offset = self._next - base
        while offset + journal.FRAME_SIZE <= size:
            nonce, length, kind, execution, time = journal.frame_gist(view, offset)
            if nonce != marker or not journal.FRAME_SIZE <= length <= journal.LARGEST_FRAME:
                offset = self._skip(base + offset) - base
                continue
            if offset + length > size:
                break
            note(view, offset, base, length, kind, execution, time)
            offset += length
        self._next = base + offset
        self._rest = bytes(view[offset:]) if offset < size else b""

    def _skip(self, at: int) -> int:
        """Notes the damage at offset `at`. Returns the offset of the next whole frame."""
        from squall.adapters.journal.reading import damage

        end = damage(self._source, self._source.pread, self._size, at).end
        self.holes.append((at, end))
        return end

    @property
    def end(self) -> int:
        """The offset behind the last whole record."""
        return self._next


def seal(source: LiveSource, write: Callable[[bytes], object]) -> SealResult:
    """Writes the sealed form of the bytes that were committed when the journal was opened. Raises `OSError`."""
    from backports.zstd import CompressionParameter, ZstdCompressor

    header = source.opened
    size = header.committed
    options: dict[int, int] = {CompressionParameter.compression_level: _LEVEL, CompressionParameter.checksum_flag: 1}
    survey = sealed.Survey()

    def note(_: memoryview, offset: int, base: int, length: int, kind: int, execution: bytes, time: int) -> None:
        if kind != journal.INDEX:
            survey.note(execution, base + offset, length, time)

    frames = _Frames(source, size, note)
    digest = hashlib.sha256()
    compressor = ZstdCompressor(options=options)
    table: list[tuple[int, int]] = []
    stored = 0
    for at in range(0, size, sealed.BLOCK):
        block = source.pread(at, min(sealed.BLOCK, size - at))
        digest.update(block)
        frames.feed(block, at)
        packed = compressor.compress(block, ZstdCompressor.FLUSH_FRAME)
        write(packed)
        table.append((len(packed), len(block)))
        stored += len(packed)
    index = sealed.pack_index(header, digest.digest(), _blocks(table, survey), survey.chains())
    table.append((len(index), 0))
    tail = index + sealed.pack_table(table)
    write(tail)
    return SealResult(size, stored + len(tail), digest.hexdigest())


def _blocks(table: list[tuple[int, int]], survey: sealed.Survey) -> list[sealed.Block]:
    blocks = []
    at = 0
    for number, (packed, _) in enumerate(table):
        first, time = survey.firsts.get(number, (sealed.NO_FRAME, 0))
        blocks.append(sealed.Block(at, first, time))
        at += packed
    return blocks


def unseal(source: SealedSource, write: Callable[[bytes], object]) -> None:
    """Writes the original bytes of a sealed journal. Raises `OSError`; `DamagedError` if their hash is wrong."""
    digest = hashlib.sha256()
    for block in _decompressed(source):
        digest.update(block)
        write(block)
    if digest.hexdigest() != source.digest:
        raise DamagedError("the sealed journal is damaged: its bytes have another hash than when it was sealed")


def _decompressed(source: SealedSource) -> Iterator[bytes]:
    for number in range(source.container.head.blocks):
        yield source.decompress(number)


class _Examiner:
    """Checks the chain and the output offsets of every record of a journal."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.records = 0
        self._tails: dict[str, int] = {}
        self._offsets: dict[tuple[str, int], int] = {}

    def fault(self, text: str) -> None:
        """Adds a fault to the report, which holds only as many as a person can read."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(text)

    def record(self, record: journal.Record) -> None:
        """Checks the next record of the journal."""
        self.records += 1
        if record.kind == journal.INDEX:
            mismatches = {
                execution
                for execution, tail in journal.unpack_index(record.payload).items()
                if self._tails.get(execution) != tail
            }
            if mismatches:
                self.fault(f"{record.start}: the closing index names other last records than there are")
            return
        tail = self._tails.get(record.execution, 0)
        if record.prev != tail:
            self.fault(f"{record.start}: the chain of {record.execution} leads to {record.prev} instead of {tail}")
        self._tails[record.execution] = record.start
        if record.kind == journal.OUTPUT:
            key = record.execution, record.stream
            expected = self._offsets.get(key, 0)
            if record.offset < expected:
                stream = journal.STREAMS.get(record.stream, "?")
                self.fault(
                    f"{record.start}: {record.execution} repeats {stream} from byte {record.offset}, behind {expected}"
                )
            self._offsets[key] = record.offset + len(record.payload)


def examine(source: Source) -> Verdict:
    """Reads every byte of a journal and returns the faults. Checks that each frame is whole and has the right checksum,
    that each execution's records form a chain, and that no output is repeated. For a sealed journal, also checks that
    its bytes have the hash from its sealing.

    Raises `OSError` if the journal cannot be read.
    """
    size = source.committed
    examiner = _Examiner()
    digest = hashlib.sha256()

    def note(view: memoryview, offset: int, base: int, _length: int, _kind: int, _execution: bytes, _time: int) -> None:
        if not journal.verify(view, offset, source.nonce, source.seed, base):
            examiner.fault(f"{base + offset}: the record's checksum is wrong")
        if (record := journal.unpack_frame(view, offset, base)) is not None:
            examiner.record(record)

    frames = _Frames(source, size, note)
    try:
        for at in range(0, size, sealed.BLOCK):
            block = source.pread(at, min(sealed.BLOCK, size - at))
            digest.update(block)
            frames.feed(block, at)
    except DamagedError as error:
        examiner.fault(str(error))
    for begin, end in frames.holes:
        examiner.fault(f"{begin}: {end - begin} bytes are no records")
    if not examiner.faults and frames.end != size:
        examiner.fault(f"{frames.end}: the last record is not whole")
    if isinstance(source, SealedSource) and digest.hexdigest() != source.digest:
        examiner.fault("the bytes have another hash than when the journal was sealed")
    return Verdict(source.tree, source.place, size, digest.hexdigest(), examiner.records, tuple(examiner.faults))
