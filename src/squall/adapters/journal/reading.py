"""Reads records out of a source: in order, by an execution's chain, from its end.

Every function takes `pread`, so that the same code reads what is in memory at once, and what is not on a thread.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping

from squall.adapters.journal.sources import Source
from squall.core.output import journal
from squall.core.output.journal import Batch, Record

_STRIDE = 1024

Pread = Callable[[int, int], bytes | memoryview]


def read(source: Source, pread: Pread, head: int, after: int, limit: int) -> Batch:
    """Whole records after a position and below `head`, about `limit` bytes of them."""
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
    """What stands for the damage at `at`: a gap up to the next whole frame, or to the journal's end."""
    look = at + 1
    while look < head:
        data = bytes(pread(look, min(4 * journal.MAX_PAYLOAD, head - look)))
        found = journal.find_frame(data, 0, source.nonce, source.seed, look)
        if found >= 0:
            return journal.damage_record(at, look + found, source.tree)
        # A frame may begin in this piece and end in the next one.
        look += max(1, len(data) - 2 * journal.MAX_PAYLOAD)
        if len(data) <= 2 * journal.MAX_PAYLOAD:
            break
    return journal.damage_record(at, head, source.tree)


def own_records(batch: Batch, execution: str) -> Batch:
    """What of a batch is one execution's, or is told to all."""
    own = [r for r in batch.records if r.execution == execution or (r.kind == journal.GAP and not r.stream)]
    return Batch(own, batch.position)


def marks_of(source: Source, pread: Pread, tail: int) -> array[int]:
    """Every 1024th start of the chain that ends at `tail`, first ones first, the last record's among them."""
    backwards = array("Q")
    at, steps = tail, 0
    while at:
        if steps % _STRIDE == 0:
            backwards.append(at)
        steps += 1
        at = before(source, pread, at)
    return array("Q", reversed(backwards))


def read_chain(source: Source, pread: Pread, head: int, marks: array[int], after: int, limit: int) -> Batch:
    """The first records of a chain that start at or behind `after`, about `limit` bytes of them.

    From each mark the chain is walked back to the mark before it, so only as much is looked at as is read.
    """
    records: list[Record] = []
    size, lower = 0, after
    for number in range(bisect_left(marks, after), len(marks)):
        starts: list[int] = []
        at = marks[number]
        while at and at >= lower:
            starts.append(at)
            at = before(source, pread, at)
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
    """The last output records of the execution whose last record starts there, of each stream about so many bytes.

    Those with a tag are left out: they are what others printed, and each stands alone.
    """
    room = dict(limits)
    starts: list[tuple[int, int]] = []
    at = last_record
    while at and any(left > 0 for left in room.values()):
        record, length, tagged = _header(source, pread, at)
        if record is None:
            break
        if record.kind == journal.OUTPUT and not tagged and room.get(record.stream, 0) > 0:
            room[record.stream] -= length - journal.FRAME_SIZE
            starts.append((at, length))
        at = record.prev if record.prev < at else 0
    found = []
    for start, length in reversed(starts):
        if (whole := journal.unpack_frame(memoryview(pread(start, length)), 0, start)) is not None:
            found.append(whole)
    return found


def check(source: Source, pread: Pread, head: int, position: int) -> bool:
    """Whether a record of the journal ends at `position`."""
    if not journal.HEADER_SIZE < position <= head:
        return False
    if position == head:
        return True
    length = journal.frame_length(pread(position, min(journal.FRAME_SIZE, head - position)))
    data = pread(position, min(length, journal.LARGEST_FRAME, head - position))
    return journal.verify(data, 0, source.nonce, source.seed, position)


def _header(source: Source, pread: Pread, at: int) -> tuple[Record | None, int, bool]:
    """The record at `at` without tag and payload, the length of its frame, and whether it has a tag; None where none
    seems to be."""
    head = bytearray(pread(at, journal.FRAME_SIZE))
    if not journal.plausible(head, 0, source.nonce):
        return None, 0, False
    length = journal.frame_length(head)
    # The header alone is enough to go on, so the frame is told to end with it.
    head[4:8] = journal.FRAME_SIZE.to_bytes(4, "little")
    tagged, head[15] = head[15], 0
    return journal.unpack_frame(memoryview(head), 0, at), length, bool(tagged)


def before(source: Source, pread: Pread, at: int) -> int:
    """Where the record before the one at `at` in its chain starts; 0 at the chain's beginning, and at damage.

    A chain only ever leads towards the beginning of the file: what does not is damage, and would be followed for ever.
    """
    record, _, _ = _header(source, pread, at)
    return record.prev if record is not None and journal.HEADER_SIZE <= record.prev < at else 0
