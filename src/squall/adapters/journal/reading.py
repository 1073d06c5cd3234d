"""Reads records from a source: in order, along an execution's chain, or from its end.

Every function takes `pread`, so the same code reads bytes in memory on the event loop and other bytes on a thread.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping

from squall.adapters.journal.sources import Source
from squall.core.ids import time_of
from squall.core.output import journal
from squall.core.output.journal import Batch, Record

_STRIDE = 1024

Pread = Callable[[int, int], bytes | memoryview]


def read(source: Source, pread: Pread, head: int, after: int, limit: int) -> Batch:
    """Returns whole records after a position and below `head`: about `limit` bytes of them."""
    at = max(after, journal.HEADER_SIZE)
    if at >= head:
        return Batch([], after)
    data = pread(at, min(max(limit, journal.FRAME_SIZE), head - at))
    if journal.plausible(data, 0, source.nonce) and journal.frame_length(data) > len(data):
        data = pread(at, min(journal.frame_length(data), head - at))
    records = list(journal.unpack_frames(data, at, source.nonce))
    if not records:
        records = [damage(source, pread, head, at)]
    position = records[-1].end if records else after
    return Batch([record for record in records if record.kind != journal.INDEX], position)


def damage(source: Source, pread: Pread, head: int, at: int) -> Record:
    """Returns a gap record for the damage at `at`. It ends at the next whole frame, whose time it has; or at the end of
    the journal, with the time of the tree's id."""
    base = at + 1
    while base < head:
        data = bytes(pread(base, min(4 * journal.MAX_PAYLOAD, head - base)))
        frame_offset = journal.find_frame(data, 0, source.nonce, source.seed, base)
        if frame_offset >= 0:
            _, _, _, _, time = journal.frame_gist(memoryview(data), frame_offset)
            return journal.damage_record(at, base + frame_offset, source.tree, time)
        # A frame may begin in this piece and end in the next one.
        base += max(1, len(data) - 2 * journal.MAX_PAYLOAD)
        if len(data) <= 2 * journal.MAX_PAYLOAD:
            break
    return journal.damage_record(at, head, source.tree, time_of(source.tree))


def own_records(batch: Batch, execution: str) -> Batch:
    """Returns the records of a batch that belong to one execution, and the gaps that concern the whole tree."""
    own = [r for r in batch.records if r.execution == execution or (r.kind == journal.GAP and not r.stream)]
    return Batch(own, batch.position)


def marks_of(source: Source, pread: Pread, tail: int) -> array[int]:
    """Returns the offset of every 1024th record of the chain that ends at `tail`, and that of its last record, in
    ascending order. If the chain is damaged, the first offset is that of the damage."""
    backwards = array("Q")
    at, steps = tail, 0
    while at:
        header, _, _ = _header(source, pread, at)
        if steps % _STRIDE == 0 or header is None:
            backwards.append(at)
        steps += 1
        at = _previous(header, at)
    return array("Q", reversed(backwards))


def read_chain(
    source: Source, pread: Pread, head: int, marks: array[int], execution: str, after: int, limit: int
) -> Batch | None:
    """Returns the first records of an execution's chain that start at or behind `after`: about `limit` bytes of them.
    Returns None if the chain is damaged between there and the last of them.

    Walks the chain back from each mark to the mark before it, so that it visits few records that it does not return.
    """
    records: list[Record] = []
    size, lower = 0, after
    for number in range(bisect_left(marks, after), len(marks)):
        starts: list[int] = []
        at = marks[number]
        while at and at >= lower:
            header, length, _ = _header(source, pread, at) if at < head else (None, 0, False)
            if header is None or header.execution != execution or at + length > head or header.prev >= at:
                return None
            starts.append(at)
            at = _previous(header, at)
        for start in reversed(starts):
            length = journal.frame_length(pread(start, journal.FRAME_SIZE))
            record = journal.unpack_frame(memoryview(pread(start, length)), 0, start)
            if record is None:
                return Batch(records, records[-1].end if records else after)
            records.append(record)
            size += length
            if size >= limit:
                return Batch(records, record.end)
        lower = marks[number] + 1
    return Batch(records, records[-1].end if records else max(after, head))


def read_last(source: Source, pread: Pread, last_record: int, limits: Mapping[int, int]) -> list[Record]:
    """Returns the last output records of the execution whose last record starts at `last_record`: about
    `limits[stream]` bytes of each stream.

    Leaves out records with a tag: other sources printed them, and each stands alone.
    """
    room = dict(limits)
    starts: list[tuple[int, int]] = []
    at = last_record
    while at and any(remaining > 0 for remaining in room.values()):
        header, length, tagged = _header(source, pread, at)
        if header is None:
            break
        if header.kind == journal.OUTPUT and not tagged and room.get(header.stream, 0) > 0:
            room[header.stream] -= length - journal.FRAME_SIZE
            starts.append((at, length))
        at = header.prev if header.prev < at else 0
    records = []
    for start, length in reversed(starts):
        if (record := journal.unpack_frame(memoryview(pread(start, length)), 0, start)) is not None:
            records.append(record)
    return records


def check(source: Source, pread: Pread, head: int, position: int) -> bool:
    """Returns True if a record of the journal ends at `position`."""
    if not journal.HEADER_SIZE < position <= head:
        return False
    if position == head:
        return True
    length = journal.frame_length(pread(position, min(journal.FRAME_SIZE, head - position)))
    data = pread(position, min(length, journal.LARGEST_FRAME, head - position))
    return journal.verify(data, 0, source.nonce, source.seed, position)


def _header(source: Source, pread: Pread, at: int) -> tuple[Record | None, int, bool]:
    """Reads a record's header at `at`. Returns the record without tag and payload (None if no frame seems to start
    there), the length of its frame, and True if it has a tag."""
    head = bytearray(pread(at, journal.FRAME_SIZE))
    if not journal.plausible(head, 0, source.nonce):
        return None, 0, False
    length = journal.frame_length(head)
    # `unpack_frame` needs a whole frame, so the copy of the header gets the length of a frame without payload.
    head[4:8] = journal.FRAME_SIZE.to_bytes(4, "little")
    tagged, head[15] = head[15], 0
    return journal.unpack_frame(memoryview(head), 0, at), length, bool(tagged)


def before(source: Source, pread: Pread, at: int) -> int:
    """Returns the offset of the previous record in the chain of the record at `at`; 0 at the chain's beginning and at
    damage."""
    return _previous(_header(source, pread, at)[0], at)


def _previous(header: Record | None, at: int) -> int:
    """Returns the offset of the previous record in the chain of the record at `at`, whose header is given; 0 at the
    chain's beginning and at damage.

    A chain always leads towards the beginning of the file. A link in the other direction is damage: following it might
    never end.
    """
    return header.prev if header is not None and journal.HEADER_SIZE <= header.prev < at else 0
