"""The format of a journal: header page, record frames, positions, and the decoding of bytes to text.

This module is pure and needs only the standard library: the process that holds the actions' pipes runs without
site-packages. A tree's journal is a header page followed by frames, one after the other. The writer writes a whole
frame, then moves the header's committed length behind it; readers never read behind the committed length. Checksums
are for damaged disks and power losses, not for half-written frames: only `find_frame` and `verify` check a frame's.

The header page of format 2 has two more checksums: one over everything that never changes in it, and one over the
committed length, which is written with it. Format 1, which release 0.1.0 wrote, has none; such a journal keeps its
format when it is continued.
"""

from __future__ import annotations

import codecs
import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

OUTPUT: Final = 1
STATUS: Final = 2
PROGRESS: Final = 3
GAP: Final = 4
INDEX: Final = 5
KINDS: Final = {OUTPUT: "output", STATUS: "status", PROGRESS: "progress", GAP: "gap", INDEX: "index"}

NO_STREAM: Final = 0
STREAMS: Final = {1: "stdout", 2: "stderr", 3: "output"}
STREAM_NUMBERS: Final = {name: number for number, name in STREAMS.items()}

MAX_PAYLOAD: Final = 1 << 20
"""The most bytes one record carries; a longer write is several records."""

DAMAGED: Final = ".damaged"
"""The suffix of a journal whose header was damaged when a writer wanted to go on with it."""

HEADER_SIZE: Final = 4096
COMMIT_OFFSET: Final = 64
_MAGIC: Final = b"squall\r\n"
_VERSION: Final = 2
_UNCHECKED_VERSION: Final = 1
_HEADER = struct.Struct("<8sI16s16s12s")
_CHECK = struct.Struct("<I")
_CHECK_OFFSET: Final = _HEADER.size
_COMMIT = struct.Struct("<QQ")
COMMIT_SIZE: Final = _COMMIT.size + _CHECK.size
"""The bytes that readers need for `unpack_commit`."""
_FRAME = struct.Struct("<4sIIBBBB4s12sQQQQI")
_GIST = struct.Struct("<4sI4xB7x12sQ")
FRAME_SIZE: Final = _FRAME.size
_CRC_FROM: Final = 12
LARGEST_FRAME: Final = FRAME_SIZE + 255 + MAX_PAYLOAD
"""The most bytes a frame has: its header, a tag and a payload."""

_NOTE: Final = 1 << 63

_NOTHING: Final = memoryview(b"")
_MAX_TAG: Final = 255
_MAX_LEAD: Final = 3


class Header(NamedTuple):
    """A journal's first page: `nonce` (16 random bytes that seed its checksums), `boot` id of the writer's machine,
    `tree` (id of the root execution), `committed` (bytes that may be read; 0 if these bytes of the header are
    damaged), `closing` (the start of the closing index record, 0 while the journal is open), and the format's
    `version`."""

    nonce: bytes
    boot: bytes
    tree: str
    committed: int
    closing: int
    version: int = _VERSION

    @property
    def commit_seed(self) -> int | None:
        """The start value of the checksum of the committed length; None if the format has no such checksum."""
        return None if self.version == _UNCHECKED_VERSION else checksum_seed(self.nonce)


class Record(NamedTuple):
    """One record. `start` and `end` are file offsets; `end` is the record's position: the next read starts there.

    `event` is the row of the event that the record copies (0 for output), `time` µs since 1970, `offset` the number of
    bytes of this execution and stream before this record, `lead` the 0 to 3 bytes of an unfinished character before
    it, `prev` the start of this execution's previous record (0 if it is the first), `incarnation` that of the writer.
    """

    start: int
    end: int
    kind: int
    stream: int
    execution: str
    time: int
    event: int
    offset: int
    prev: int
    incarnation: int
    lead: bytes
    tag: str
    payload: memoryview


class ServerRecord(NamedTuple):
    """A record that the server itself appends. `kind`, `time` (µs since 1970), `event` and `payload` are those of the
    `Record` that it becomes. If `create` is false and the tree has no journal, the record is dropped.
    """

    execution: str
    kind: int
    time: int
    event: int
    payload: bytes
    create: bool = True


class Batch(NamedTuple):
    """Records in order, and the position of the next read."""

    records: list[Record]
    position: int


class NotAJournalError(ValueError):
    """The bytes are not a journal header of this format."""


def file_name(tree: str) -> str:
    """Returns the path of the journal of `tree` below the folder of journals: one folder for every 4096 s of new trees.

    Raises `ValueError` for a text that is not an id: only ids become paths.
    """
    _check_id(tree)
    return f"{tree[:5]}/{tree}.journal"


def lines_name(tree: str) -> str:
    """Returns the path of the line index of `tree` below the folder of journals. Raises `ValueError` as `file_name`
    does."""
    _check_id(tree)
    return f"{tree[:5]}/{tree}.lines"


def _check_id(tree: str) -> None:
    if len(tree) != 24 or not tree.isalnum():
        raise ValueError(f"{tree!r:.40} is not the id of a tree")


def pack_header(nonce: bytes, boot: bytes, tree: str, version: int = _VERSION) -> bytes:
    """Returns the header page of a new journal, with no records committed yet."""
    page = _pack_constants(nonce, boot, tree, version)
    seed = None if version == _UNCHECKED_VERSION else checksum_seed(nonce)
    return (page + pack_commit(HEADER_SIZE, 0, seed)).ljust(HEADER_SIZE, b"\0")


def _pack_constants(nonce: bytes, boot: bytes, tree: str, version: int) -> bytes:
    fields = _HEADER.pack(_MAGIC, version, nonce, boot, bytes.fromhex(tree))
    if version == _UNCHECKED_VERSION:
        return fields.ljust(COMMIT_OFFSET, b"\0")
    page = fields.ljust(COMMIT_OFFSET, b"\0") + bytes(HEADER_SIZE - COMMIT_OFFSET)
    return (fields + _CHECK.pack(_constants_checksum(page))).ljust(COMMIT_OFFSET, b"\0")


def _constants_checksum(page: bytes) -> int:
    """Returns the checksum of all bytes of a header page that never change, the unused ones included."""
    view = memoryview(page)
    crc = zlib.crc32(view[_CHECK_OFFSET + _CHECK.size : COMMIT_OFFSET], zlib.crc32(view[:_CHECK_OFFSET]))
    return zlib.crc32(view[COMMIT_OFFSET + COMMIT_SIZE : HEADER_SIZE], crc)


def pack_boot(header: Header, boot: bytes) -> bytes:
    """Returns the first bytes of the header page with another boot id. One write at the file's start replaces them, so
    their checksum is right at any time."""
    return _pack_constants(header.nonce, boot, header.tree, header.version)


def pack_commit(committed: int, index: int, seed: int | None) -> bytes:
    """Returns the bytes for `COMMIT_OFFSET` that move the committed length (and give the start of the closing index
    record). `seed` is the header's `commit_seed`."""
    commit = _COMMIT.pack(committed, index)
    return commit if seed is None else commit + _CHECK.pack(zlib.crc32(commit, seed))


def unpack_header(page: bytes) -> Header:
    """Reads the header from a file's first page. Raises `NotAJournalError` if the page is damaged, except in the bytes
    of the committed length."""
    if len(page) < HEADER_SIZE:
        raise NotAJournalError("the file is shorter than a journal's header")
    magic, version, nonce, boot, tree = _HEADER.unpack_from(page)
    if magic != _MAGIC:
        raise NotAJournalError("the file does not start like a journal")
    if version == _VERSION:
        if _CHECK.unpack_from(page, _CHECK_OFFSET) != (_constants_checksum(page),):
            raise NotAJournalError("the checksum of the journal's header is wrong")
    elif version != _UNCHECKED_VERSION:
        raise NotAJournalError(f"the journal has format {version}; this version of Squall reads format {_VERSION}")
    elif any(page[_CHECK_OFFSET:COMMIT_OFFSET]) or any(page[COMMIT_OFFSET + _COMMIT.size : HEADER_SIZE]):
        raise NotAJournalError("the journal's header has bytes that no journal of its format has")
    header = Header(nonce, boot, tree.hex(), 0, 0, version)
    commit = unpack_commit(page[COMMIT_OFFSET:], header.commit_seed)
    return header if commit is None else header._replace(committed=commit[0], closing=commit[1])


def unpack_commit(data: bytes, seed: int | None) -> tuple[int, int] | None:
    """Reads the committed length and the start of the closing index record from the bytes at `COMMIT_OFFSET`. Returns
    None if they are damaged. `seed` is the header's `commit_seed`."""
    if len(data) < (_COMMIT.size if seed is None else COMMIT_SIZE):
        return None
    committed, index = _COMMIT.unpack_from(data)
    if seed is not None and _CHECK.unpack_from(data, _COMMIT.size) != (zlib.crc32(data[: _COMMIT.size], seed),):
        return None
    return (committed, index) if committed >= HEADER_SIZE and index < committed else None


def checksum_seed(nonce: bytes) -> int:
    """Returns the start value of the checksums of a journal with this nonce: frames of another journal never verify in
    it."""
    return zlib.crc32(nonce)


def pack_frame(
    nonce: bytes,
    seed: int,
    kind: int,
    execution: bytes,
    time: int,
    payload: bytes | memoryview,
    *,
    start: int,
    stream: int = NO_STREAM,
    event: int = 0,
    offset: int = 0,
    prev: int = 0,
    incarnation: int = 0,
    lead: bytes = b"",
    tag: bytes = b"",
) -> bytes:
    """Returns header and tag of the frame that carries `payload`. The caller writes the payload behind them: it is not
    copied.

    `seed` is `checksum_seed(nonce)`, `execution` the 12 bytes of its id, `start` the file offset that the frame will
    have. The checksum covers the offset, so a frame that a damaged disk moves elsewhere does not verify there. Raises
    `ValueError` if a part is too long.
    """
    if len(payload) > MAX_PAYLOAD or len(tag) > _MAX_TAG or len(lead) > _MAX_LEAD:
        raise ValueError("payload, tag or lead is longer than a record can carry")
    length = FRAME_SIZE + len(tag) + len(payload)
    frame = bytearray(FRAME_SIZE)
    _FRAME.pack_into(
        frame, 0, nonce[:4], length, 0, kind, stream, len(lead), len(tag), lead, execution, time, event, offset, prev,
        incarnation,
    )  # fmt: skip
    crc = zlib.crc32(payload, zlib.crc32(tag, zlib.crc32(memoryview(frame)[_CRC_FROM:], seed)))
    struct.pack_into("<I", frame, 8, _placed(crc, length, start))
    return bytes(frame) + tag


def _placed(crc: int, length: int, start: int) -> int:
    """Returns the checksum of a frame from that of its checked bytes, which leave out its length and its offset."""
    return zlib.crc32(struct.pack("<IQ", length, start), crc)


def note_event(row: int, number: int) -> int:
    """Returns the `event` of a record that copies no event row: the row of the queue that it came from, and its number
    there. So a second copy of the record is recognized. It never equals a row of the table of events."""
    return _NOTE | row << 20 | number


def event_row(event: int) -> int:
    """Returns the row in the table of events for the `event` of a record; 0 if the record copies no event row."""
    return 0 if event & _NOTE else event


def frame_length(data: bytes | bytearray | memoryview, at: int = 0) -> int:
    """Returns the whole length of the frame whose header starts at `at`, or 0 if `data` has no whole header there."""
    if len(data) - at < FRAME_SIZE:
        return 0
    length: int = struct.unpack_from("<I", data, at + 4)[0]
    return length


def unpack_frame(data: memoryview, at: int, base: int) -> Record | None:
    """Reads the record whose frame starts at `data[at]`; `data[0]` is file offset `base`. Returns None if the frame is
    not complete.

    It checks nothing: frames below the committed length were written whole (see `verify`).
    """
    length = frame_length(data, at)
    if length < FRAME_SIZE or at + length > len(data):
        return None
    (_, _, _, kind, stream, lead_size, tag_size, lead, execution, time, event, offset, prev, incarnation) = (
        _FRAME.unpack_from(data, at)
    )
    body = at + FRAME_SIZE
    start = base + at
    return Record(
        start, start + length, kind, stream, execution.hex(), time, event, offset, prev, incarnation, lead[:lead_size],
        str(data[body : body + tag_size], "utf-8", "replace") if tag_size else "",
        data[body + tag_size : at + length],
    )  # fmt: skip


def frame_gist(data: memoryview, at: int) -> tuple[bytes, int, int, bytes, int]:
    """Reads marker, length, kind, execution (12 bytes) and time of the frame whose whole header is at `data[at]`: a
    fast way for readers of every frame of a journal."""
    gist: tuple[bytes, int, int, bytes, int] = _GIST.unpack_from(data, at)
    return gist


def plausible(data: bytes | bytearray | memoryview, at: int, nonce: bytes) -> bool:
    """Checks whether a frame's header may start at `data[at]`: its marker and its length are possible ones."""
    if len(data) - at < FRAME_SIZE or bytes(data[at : at + 4]) != nonce[:4]:
        return False
    return FRAME_SIZE <= frame_length(data, at) <= FRAME_SIZE + _MAX_TAG + MAX_PAYLOAD


def unpack_frames(data: bytes | memoryview, base: int, nonce: bytes = b"") -> Iterator[Record]:
    """Yields every record that is complete in `data`, whose first byte is file offset `base`.

    If the journal's `nonce` is given, it stops before bytes that are not a frame of the journal.
    """
    view = memoryview(data)
    at = 0
    while (not nonce or plausible(view, at, nonce)) and (record := unpack_frame(view, at, base)) is not None:
        yield record
        at = record.end - base


def verify(data: bytes | memoryview, at: int, nonce: bytes, seed: int, base: int = 0) -> bool:
    """Checks whether an undamaged and complete frame of the journal with this `nonce` starts at `data[at]`; `data[0]`
    is file offset `base`."""
    view = memoryview(data)
    length = frame_length(view, at)
    if not plausible(view, at, nonce) or at + length > len(view):
        return False
    (crc,) = struct.unpack_from("<I", view, at + 8)
    return _placed(zlib.crc32(view[at + _CRC_FROM : at + length], seed), length, base + at) == int(crc)


def find_frame(data: bytes | memoryview, at: int, nonce: bytes, seed: int, base: int = 0) -> int:
    """Returns the start in `data` (whose first byte is file offset `base`) of the first undamaged frame at or behind
    `data[at]`, or -1. So readers get past damage on a disk."""
    haystack = bytes(data)
    marker = nonce[:4]
    while (at := haystack.find(marker, at)) >= 0:
        if verify(haystack, at, nonce, seed, base):
            return at
        at += 1
    return -1


def pack_index(tails: dict[str, int]) -> bytes:
    """Returns the payload of the closing index record for `tails`: execution id to the start of its last record."""
    return b"".join(bytes.fromhex(execution) + struct.pack("<Q", start) for execution, start in tails.items())


def unpack_index(payload: bytes | memoryview) -> dict[str, int]:
    """Returns the tails: the inverse of `pack_index`."""
    size = 20
    return {
        bytes(payload[at : at + 12]).hex(): struct.unpack_from("<Q", payload, at + 12)[0]
        for at in range(0, len(payload) - size + 1, size)
    }


def damage_record(start: int, end: int, tree: str, time: int) -> Record:
    """Returns the gap record that readers get for records between two offsets that a disk has lost. `time` (µs) is that
    of a record beside it."""
    text = f'{{"reason":"damage","bytes":{end - start}}}'
    return Record(start, end, GAP, NO_STREAM, tree, time, 0, 0, 0, 0, b"", "", memoryview(text.encode()))


def loss_record(execution: str, stream: int, count: int, place: int, time: int) -> Record:
    """Returns the gap record that readers get, at a place and with a time (µs).

    It stands for `count` bytes that an execution has printed on a stream and that its journal does not hold (any more).
    `NO_STREAM`: the journal had so many bytes, and nobody knows of which streams; 0 if nobody knows how many.
    """
    at = max(place, HEADER_SIZE)
    text = f'{{"reason":"damage","bytes":{count}}}'
    return Record(at, at, GAP, stream, execution, time, 0, 0, 0, 0, b"", "", memoryview(text.encode()))


def decode_text(lead: bytes, payload: bytes | memoryview, alone: bool = False) -> tuple[str, bytes]:
    """Decodes `payload` behind the unfinished character `lead`. Returns the text, and the bytes of the unfinished
    character at its end.

    Bytes that are not UTF-8 become U+FFFD. A character that is split over two records belongs to the text of the
    second, so a record's text depends only on the record. If `alone` (as for tagged records), no bytes remain at the
    end.
    """
    data = lead + bytes(payload) if lead else bytes(payload)
    text, used = codecs.utf_8_decode(data, "replace", alone)
    return text, data[used:]
