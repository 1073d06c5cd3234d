"""Seals live journals, and unseals sealed ones.

All functions work block by block. Memory grows with the number of executions in the journal, not with its length.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.live import LiveSource
from squall.adapters.journal.sources import SealedSource, Source
from squall.core.output import journal, sealed

_LEVEL = 3


class SealResult(NamedTuple):
    """The result of sealing: the bytes of the journal, the bytes of its sealed form, and its SHA-256 in hex."""

    size: int
    stored: int
    digest: str


_Note = Callable[[memoryview, int, int, int, int, bytes, int], None]
"""A function that receives a frame: bytes, the frame's start in them, the journal offset of the first byte; the frame's
length, kind, execution and time."""


class Frames:
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

    frames = Frames(source, size, note)
    digest = hashlib.sha256()
    compressor = ZstdCompressor(options=options)
    table: list[tuple[int, int]] = []
    stored = crc = 0
    for at in range(0, size, sealed.BLOCK):
        length = min(sealed.BLOCK, size - at)
        block = source.pread(at, length)
        if len(block) < length:
            # A power loss or damage took the end of the file. The positions stay, and zeros are no records.
            block = bytes(block).ljust(length, b"\0")
        digest.update(block)
        frames.feed(block, at)
        packed = compressor.compress(block, ZstdCompressor.FLUSH_FRAME)
        write(packed)
        crc = zlib.crc32(packed, crc)
        table.append((len(packed), len(block)))
        stored += len(packed)
    index = sealed.pack_index(header, digest.digest(), blocks(table, survey), survey.chains(), crc)
    table.append((len(index), 0))
    tail = index + sealed.pack_table(table)
    write(tail)
    return SealResult(size, stored + len(tail), digest.hexdigest())


def blocks(table: list[tuple[int, int]], survey: sealed.Survey) -> list[sealed.Block]:
    """Returns the index entries of the blocks in a seek table."""
    entries = []
    at = 0
    for number, (packed, _) in enumerate(table):
        first, time = survey.firsts.get(number, (sealed.NO_FRAME, 0))
        entries.append(sealed.Block(at, first, time))
        at += packed
    return entries


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
