"""The format of a sealed journal: the journal's bytes in zstd frames, then an index of positions in them.

The file has the published seekable format of zstd: independent frames of `BLOCK` bytes of source each, then a
skippable frame that only Squall reads (the index), then the skippable frame with the seek table. A plain `zstd -d`
restores the journal byte for byte: a position in the journal is an offset in it, sealed or not.

The index has a fixed head. For each block it has the block's offset in the file, and the start and time of the first
journal frame that starts in the block. It lists the executions in the order of their ids with the start of their last
record. For each execution it has the starts of some of its records (`STRIDE`, `STRETCH`), so that a reader can enter
the execution's chain near any position.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from squall.core.ids import is_id
from squall.core.output.journal import Header

BLOCK: Final = 128 << 10
"""The bytes of source in one frame; the last one may have fewer. The records of one execution of many lie scattered
over the blocks: blocks of twice the size would double the time to read them."""

_LARGEST_BLOCK: Final = 16 << 20
"""The most bytes of a block that a reader accepts: a damaged length must not become memory."""

STRIDE: Final = 64
"""The most records of a chain from one mark to the next."""

STRETCH: Final = 16 << 10
"""The bytes of a chain's records after which it gets a mark, at the latest."""

NO_FRAME: Final = (1 << 64) - 1
"""Stands for the start of a block's first frame if no frame starts in the block."""

HEAD_SIZE: Final = 8
"""The bytes of a skippable frame before its content."""

FOOTER_SIZE: Final = 9
ENTRY_SIZE: Final = 8
_SKIPPABLE: Final = struct.Struct("<II")
_INDEX_MAGIC: Final = 0x184D2A5D
_TABLE_MAGIC: Final = 0x184D2A5E
_SEEKABLE_MAGIC: Final = 0x8F92EAB1
_FOOTER: Final = struct.Struct("<IBI")
_ENTRY: Final = struct.Struct("<II")
_HEAD: Final = struct.Struct("<8sIIQ32s16s12sQIIQ")
_CRC: Final = struct.Struct("<I")
_MARK: Final = b"squallix"
_VERSION: Final = 1
_BLOCK_ENTRY: Final = struct.Struct("<QQQ")
_EXECUTION_ENTRY: Final = struct.Struct("<12sQIIQ")
INDEX_HEAD_SIZE: Final = _HEAD.size
BLOCK_ENTRY_SIZE: Final = _BLOCK_ENTRY.size
EXECUTION_ENTRY_SIZE: Final = _EXECUTION_ENTRY.size


class NotSealedError(ValueError):
    """The bytes are not a sealed journal of this format."""


class Block(NamedTuple):
    """One block: `at` is the offset of its zstd frame in the sealed file. `first` is the start of the first journal
    frame that starts in the block (`NO_FRAME` if none does), `time` the time of that record (µs since 1970)."""

    at: int
    first: int
    time: int


class Chain(NamedTuple):
    """The records of one execution: the start of the last one (`tail`), their number, and the starts of some of them
    in ascending order (`marks`); the last mark is `tail`."""

    tail: int
    records: int
    marks: array[int]


class Head(NamedTuple):
    """The head of the index: bytes and SHA-256 of the source, the fields of its header (`nonce`, `tree`, `closing`),
    and the numbers of its blocks, executions and records."""

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
        """The offset of the block entries in the index."""
        return INDEX_HEAD_SIZE

    @property
    def executions_at(self) -> int:
        """The offset of the execution entries in the index."""
        return self.blocks_at + self.blocks * BLOCK_ENTRY_SIZE

    @property
    def marks_at(self) -> int:
        """The offset of the marks in the index."""
        return self.executions_at + self.executions * EXECUTION_ENTRY_SIZE


class Entry(NamedTuple):
    """The entry of an execution in the index: `mark` is the number of its first mark among all marks, `marks` how many
    it has."""

    execution: str
    tail: int
    mark: int
    marks: int
    records: int


def file_name(tree: str) -> str:
    """Returns the path of the sealed journal of `tree` below the folder of journals, and below a blob store's prefix.

    Raises `ValueError` for a text that is not an id: only ids become paths.
    """
    if not is_id(tree):
        raise ValueError(f"{tree!r:.40} is not the id of a tree")
    return f"{tree[:5]}/{tree}.sealed"


def pack_index(
    header: Header, digest: bytes, blocks: Sequence[Block], chains: Mapping[str, Chain], crc: int | None
) -> bytes:
    """Returns the skippable frame with the index of the journal that has this `header`, sealed up to its committed
    length. It ends with `crc`, the checksum of all frames before it; in those that release 0.1.0 wrote there is none
    (None)."""
    records = sum(chain.records for chain in chains.values())
    source = header.committed, digest, header.nonce, bytes.fromhex(header.tree), header.closing
    parts = [_HEAD.pack(_MARK, _VERSION, BLOCK, *source, len(blocks), len(chains), records)]
    parts += [_BLOCK_ENTRY.pack(*block) for block in blocks]
    marks = array("Q")
    for execution in sorted(chains):
        chain = chains[execution]
        entry = bytes.fromhex(execution), chain.tail, len(marks), len(chain.marks), chain.records
        parts.append(_EXECUTION_ENTRY.pack(*entry))
        marks.extend(chain.marks)
    body = b"".join([*parts, marks.tobytes(), _CRC.pack(crc) if crc is not None else b""])
    return _SKIPPABLE.pack(_INDEX_MAGIC, len(body)) + body


def pack_table(frames: Iterable[tuple[int, int]]) -> bytes:
    """Returns the skippable frame with the seek table: the sizes of each frame before it, in the file and
    decompressed."""
    entries = [_ENTRY.pack(*sizes) for sizes in frames]
    body = b"".join([*entries, _FOOTER.pack(len(entries), 0, _SEEKABLE_MAGIC)])
    return _SKIPPABLE.pack(_TABLE_MAGIC, len(body)) + body


def table_size(footer: bytes) -> int:
    """Returns the length of the whole seek table, read from the file's last `FOOTER_SIZE` bytes. Raises
    `NotSealedError`."""
    if len(footer) != FOOTER_SIZE:
        raise NotSealedError("it is shorter than a seek table")
    count, descriptor, magic = _FOOTER.unpack(footer)
    if magic != _SEEKABLE_MAGIC or descriptor or not count:
        raise NotSealedError("it does not end with a seek table of ours")
    return HEAD_SIZE + int(count) * ENTRY_SIZE + FOOTER_SIZE


def unpack_table(table: bytes) -> list[tuple[int, int]]:
    """Returns the frames' sizes: the inverse of `pack_table`. Raises `NotSealedError`."""
    if len(table) < HEAD_SIZE + FOOTER_SIZE or table_size(table[-FOOTER_SIZE:]) != len(table):
        raise NotSealedError("its seek table is not whole")
    if _SKIPPABLE.unpack_from(table) != (_TABLE_MAGIC, len(table) - HEAD_SIZE):
        raise NotSealedError("its seek table does not begin like one")
    return [(a, b) for a, b in _ENTRY.iter_unpack(table[HEAD_SIZE:-FOOTER_SIZE])]


def index_size(entry: bytes) -> int:
    """Returns the length of the index frame, read from the last entry of the seek table. Raises `NotSealedError`."""
    if len(entry) != ENTRY_SIZE:
        raise NotSealedError("it is shorter than its seek table")
    size, decompressed = _ENTRY.unpack(entry)
    if decompressed or size < HEAD_SIZE + INDEX_HEAD_SIZE:
        raise NotSealedError("it has no index")
    return int(size)


def unpack_head(frame: bytes) -> Head:
    """Reads the head of the index from the first bytes of its frame. Raises `NotSealedError`."""
    if len(frame) < HEAD_SIZE + INDEX_HEAD_SIZE:
        raise NotSealedError("its index is not whole")
    magic, _ = _SKIPPABLE.unpack_from(frame)
    mark, version, block, size, digest, *rest = _HEAD.unpack_from(frame, HEAD_SIZE)
    nonce, tree, closing, blocks, executions, records = rest
    if magic != _INDEX_MAGIC or mark != _MARK:
        raise NotSealedError("its index does not begin like one")
    if version != _VERSION:
        raise NotSealedError(f"its index has format {version}; this version of Squall reads format {_VERSION}")
    if not 0 < block <= _LARGEST_BLOCK or blocks != -(-size // block):
        raise NotSealedError("its index has another number of blocks than its size needs")
    return Head(block, size, digest, nonce, tree.hex(), closing, blocks, executions, records)


def unpack_block(entry: bytes) -> Block:
    """Reads a block entry. Raises `NotSealedError`."""
    if len(entry) != BLOCK_ENTRY_SIZE:
        raise NotSealedError("its index is not whole")
    return Block(*_BLOCK_ENTRY.unpack(entry))


def unpack_entry(entry: bytes) -> Entry:
    """Reads an execution entry. Raises `NotSealedError`."""
    if len(entry) != EXECUTION_ENTRY_SIZE:
        raise NotSealedError("its index is not whole")
    execution, tail, mark, marks, records = _EXECUTION_ENTRY.unpack(entry)
    return Entry(execution.hex(), tail, mark, marks, records)


class _Tally:
    """The chain of one execution, as far as the survey has come."""

    __slots__ = ("bytes", "marks", "records", "tail", "unmarked")

    def __init__(self) -> None:
        self.records = 0
        self.tail = 0
        self.bytes = 0
        self.unmarked = 0
        self.marks = array("Q")


class Survey:
    """Collects the entries of the index from the records of a journal, in their order."""

    def __init__(self) -> None:
        self.firsts: dict[int, tuple[int, int]] = {}
        self._tallies: dict[bytes, _Tally] = {}
        self._block = -1

    def note(self, execution: bytes, start: int, length: int, time: int) -> None:
        """Adds a record: `length` bytes at `start`, of an execution (the 12 bytes of its id), written at `time` (µs
        since 1970)."""
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
        """Returns the chains of all executions by id."""
        chains = {}
        for execution, tally in self._tallies.items():
            marks = tally.marks
            if not marks or marks[-1] != tally.tail:
                marks = marks + array("Q", [tally.tail])
            chains[execution.hex()] = Chain(tally.tail, tally.records, marks)
        return chains
