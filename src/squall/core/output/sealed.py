"""A sealed journal's form: the journal's own bytes in zstd frames, with what finds a place in them behind.

The file is of the published seekable format of zstd: independent frames of `BLOCK` bytes of source each, then a
skippable frame that only Squall reads (the index), then the skippable frame with the seek table. A plain `zstd -d`
gives the journal back, byte for byte: a position in the journal is an offset in it, sealed or not.

The index has a fixed head; for each block where it lies, which frame of the journal first starts in it, and when that
was written; the executions in the order of their ids with the start of their last record; and for each execution the
starts of some of its records (`STRIDE`, `STRETCH`), so that its chain is entered near any position.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from squall.core.ids import is_id
from squall.core.output.journal import Header

BLOCK: Final = 128 << 10
"""Bytes of source in one frame; the last one may have fewer. One child of many has its records in as many blocks: twice
as large a block would cost it twice the time."""

STRIDE: Final = 64
"""A chain has a mark at every so many records, at least."""

STRETCH: Final = 16 << 10
"""A chain has a mark after every so many bytes of records, at least."""

NO_FRAME: Final = (1 << 64) - 1
"""The start of a block's first frame when none starts in it."""

HEAD_SIZE: Final = 8
"""Bytes of a skippable frame before its content."""

FOOTER_SIZE: Final = 9
ENTRY_SIZE: Final = 8
_SKIPPABLE: Final = struct.Struct("<II")
_INDEX_MAGIC: Final = 0x184D2A5D
_TABLE_MAGIC: Final = 0x184D2A5E
_SEEKABLE_MAGIC: Final = 0x8F92EAB1
_FOOTER: Final = struct.Struct("<IBI")
_ENTRY: Final = struct.Struct("<II")
_HEAD: Final = struct.Struct("<8sIIQ32s16s12sQIIQ")
_MARK: Final = b"squallix"
_VERSION: Final = 1
_BLOCK_ENTRY: Final = struct.Struct("<QQQ")
_EXECUTION_ENTRY: Final = struct.Struct("<12sQIIQ")
INDEX_HEAD_SIZE: Final = _HEAD.size
BLOCK_ENTRY_SIZE: Final = _BLOCK_ENTRY.size
EXECUTION_ENTRY_SIZE: Final = _EXECUTION_ENTRY.size


class NotSealedError(ValueError):
    """The bytes are no sealed journal of this format."""


class Block(NamedTuple):
    """One block: `at` is where its zstd frame starts in the sealed file, `first` where the first frame of the journal
    that starts in it does (`NO_FRAME` if none), `time` that record's (µs since 1970)."""

    at: int
    first: int
    time: int


class Chain(NamedTuple):
    """One execution's records: where the last one starts, how many there are, and the starts of some, the last one's
    among them, first ones first."""

    tail: int
    records: int
    marks: array[int]


class Head(NamedTuple):
    """What the index says first: bytes and SHA-256 of the source, what its header says (`nonce`, `tree`, `closing`),
    and how many blocks, executions and records it has."""

    block: int
    size: int
    digest: bytes
    nonce: bytes
    tree: str
    closing: int
    blocks: int
    executions: int
    records: int

    @property
    def blocks_at(self) -> int:
        """Where the entries of blocks start in the index."""
        return INDEX_HEAD_SIZE

    @property
    def executions_at(self) -> int:
        """Where the entries of executions start in the index."""
        return self.blocks_at + self.blocks * BLOCK_ENTRY_SIZE

    @property
    def marks_at(self) -> int:
        """Where the marks start in the index."""
        return self.executions_at + self.executions * EXECUTION_ENTRY_SIZE


class Entry(NamedTuple):
    """An execution's entry in the index: where its marks are among all marks, and how many."""

    execution: str
    tail: int
    mark: int
    marks: int
    records: int


def file_name(tree: str) -> str:
    """Where the sealed journal of `tree` lies below the folder of journals, and below a blob store's prefix.

    Raises `ValueError` for a text that is no id: only ids become paths.
    """
    if not is_id(tree):
        raise ValueError(f"{tree!r:.40} is no id of a tree")
    return f"{tree[:5]}/{tree}.sealed"


def pack_index(header: Header, digest: bytes, blocks: Sequence[Block], chains: Mapping[str, Chain]) -> bytes:
    """The skippable frame with the index of the journal that has this header; its committed length is sealed."""
    records = sum(chain.records for chain in chains.values())
    told = header.committed, digest, header.nonce, bytes.fromhex(header.tree), header.closing
    parts = [_HEAD.pack(_MARK, _VERSION, BLOCK, *told, len(blocks), len(chains), records)]
    parts += [_BLOCK_ENTRY.pack(*block) for block in blocks]
    marks = array("Q")
    for execution in sorted(chains):
        chain = chains[execution]
        entry = bytes.fromhex(execution), chain.tail, len(marks), len(chain.marks), chain.records
        parts.append(_EXECUTION_ENTRY.pack(*entry))
        marks.extend(chain.marks)
    body = b"".join([*parts, marks.tobytes()])
    return _SKIPPABLE.pack(_INDEX_MAGIC, len(body)) + body


def pack_table(frames: Iterable[tuple[int, int]]) -> bytes:
    """The skippable frame with the seek table: the sizes of each frame before it, in the file and decompressed."""
    entries = [_ENTRY.pack(*sizes) for sizes in frames]
    body = b"".join([*entries, _FOOTER.pack(len(entries), 0, _SEEKABLE_MAGIC)])
    return _SKIPPABLE.pack(_TABLE_MAGIC, len(body)) + body


def table_size(footer: bytes) -> int:
    """The length of the whole seek table, from the file's last `FOOTER_SIZE` bytes. Raises `NotSealedError`."""
    if len(footer) != FOOTER_SIZE:
        raise NotSealedError("it is shorter than a seek table")
    count, descriptor, magic = _FOOTER.unpack(footer)
    if magic != _SEEKABLE_MAGIC or descriptor or not count:
        raise NotSealedError("it does not end with a seek table of ours")
    return HEAD_SIZE + int(count) * ENTRY_SIZE + FOOTER_SIZE


def unpack_table(table: bytes) -> list[tuple[int, int]]:
    """The inverse of `pack_table`. Raises `NotSealedError`."""
    if len(table) < HEAD_SIZE + FOOTER_SIZE or table_size(table[-FOOTER_SIZE:]) != len(table):
        raise NotSealedError("its seek table is not whole")
    if _SKIPPABLE.unpack_from(table) != (_TABLE_MAGIC, len(table) - HEAD_SIZE):
        raise NotSealedError("its seek table does not begin like one")
    return [(a, b) for a, b in _ENTRY.iter_unpack(table[HEAD_SIZE:-FOOTER_SIZE])]


def index_size(entry: bytes) -> int:
    """The length of the index frame, from the last entry of the seek table. Raises `NotSealedError`."""
    size, decompressed = _ENTRY.unpack(entry)
    if decompressed or size < HEAD_SIZE + INDEX_HEAD_SIZE:
        raise NotSealedError("it has no index")
    return int(size)


def unpack_head(frame: bytes) -> Head:
    """The head of the index in the first bytes of its frame. Raises `NotSealedError`."""
    if len(frame) < HEAD_SIZE + INDEX_HEAD_SIZE:
        raise NotSealedError("its index is not whole")
    magic, _ = _SKIPPABLE.unpack_from(frame)
    mark, version, block, size, digest, *told = _HEAD.unpack_from(frame, HEAD_SIZE)
    nonce, tree, closing, blocks, executions, records = told
    if magic != _INDEX_MAGIC or mark != _MARK:
        raise NotSealedError("its index does not begin like one")
    if version != _VERSION:
        raise NotSealedError(f"its index has format {version}; this version of Squall reads format {_VERSION}")
    if not block or blocks != -(-size // block):
        raise NotSealedError("its index has another number of blocks than its size needs")
    return Head(block, size, digest, nonce, tree.hex(), closing, blocks, executions, records)


def unpack_block(entry: bytes) -> Block:
    """One entry of the blocks. Raises `NotSealedError`."""
    if len(entry) != BLOCK_ENTRY_SIZE:
        raise NotSealedError("its index is not whole")
    return Block(*_BLOCK_ENTRY.unpack(entry))


def unpack_entry(entry: bytes) -> Entry:
    """One entry of the executions. Raises `NotSealedError`."""
    if len(entry) != EXECUTION_ENTRY_SIZE:
        raise NotSealedError("its index is not whole")
    execution, tail, mark, marks, records = _EXECUTION_ENTRY.unpack(entry)
    return Entry(execution.hex(), tail, mark, marks, records)


class _Tally:
    """What is known so far of one execution's chain."""

    __slots__ = ("bytes", "marks", "records", "tail", "unmarked")

    def __init__(self) -> None:
        self.records = 0
        self.tail = 0
        self.bytes = 0
        self.unmarked = 0
        self.marks = array("Q")


class Survey:
    """Learns what the index needs from the records of a journal, given in their order."""

    def __init__(self) -> None:
        self.firsts: dict[int, tuple[int, int]] = {}
        self._tallies: dict[bytes, _Tally] = {}
        self._block = -1

    def note(self, execution: bytes, start: int, length: int, time: int) -> None:
        """One record of `length` bytes that an execution (the 12 bytes of its id) has at `start`."""
        block = start // BLOCK
        if block != self._block:
            self._block = block
            self.firsts[block] = start, time
        tally = self._tallies.get(execution)
        if tally is None:
            tally = self._tallies[execution] = _Tally()
        tally.records += 1
        tally.tail = start
        tally.unmarked += 1
        tally.bytes += length
        if tally.unmarked >= STRIDE or tally.bytes >= STRETCH:
            tally.unmarked = tally.bytes = 0
            tally.marks.append(start)

    def chains(self) -> dict[str, Chain]:
        """The chains of all executions."""
        found = {}
        for execution, tally in self._tallies.items():
            marks = tally.marks
            if not marks or marks[-1] != tally.tail:
                marks = marks + array("Q", [tally.tail])
            found[execution.hex()] = Chain(tally.tail, tally.records, marks)
        return found
