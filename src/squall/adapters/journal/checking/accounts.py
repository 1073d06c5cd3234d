"""Compares journals with what the database knows of their output. All functions read, so call them on a thread."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from squall.adapters.journal.sealing import Frames
from squall.adapters.journal.sources import Source
from squall.core.output import journal, sealed
from squall.core.output.accounts import Account, Loss, losses

_MOST_STEPS = 4096
_COUNTS = struct.Struct("<4sI4xBBBB4x12s8x8xQQ")
"""Of a frame's header: marker, length, kind, stream, sizes of lead and tag, execution, offset, start of the previous
record."""


def lost(source: Source, accounts: Sequence[Account]) -> list[Loss]:
    """Returns the output that the journal lacks. Looks at the last records of each execution; only if one of them is
    not what it must be, counts all bytes of the journal. Raises `OSError`."""
    head = source.committed
    if all(_ends_as_known(source, head, account) for account in accounts):
        return []
    held: dict[tuple[str, int], int] = {}

    def note(view: memoryview, offset: int, base: int, _length: int, kind: int, _execution: bytes, _time: int) -> None:
        if kind == journal.OUTPUT and (record := journal.unpack_frame(view, offset, base)) is not None:
            key = record.execution, record.stream
            held[key] = held.get(key, 0) + len(record.payload)

    frames = Frames(source, head, note)
    for at in range(0, head, sealed.BLOCK):
        block = source.pread(at, min(sealed.BLOCK, head - at))
        if not block:
            break
        frames.feed(block, at)
    return losses(accounts, held)


def _ends_as_known(source: Source, head: int, account: Account) -> bool:
    """Checks whether the last output record of each stream ends where the stream ended."""
    open_sizes = account.sizes()
    execution = bytes.fromhex(account.execution)
    at, steps = account.last_record, 0
    while open_sizes and steps < _MOST_STEPS:
        steps += 1
        if not journal.HEADER_SIZE <= at <= head - journal.FRAME_SIZE:
            return False
        frame = source.pread(at, journal.FRAME_SIZE)
        if not journal.plausible(frame, 0, source.nonce):
            return False
        _, length, kind, stream, _, tag_size, owner, offset, previous = _COUNTS.unpack_from(frame)
        if owner != execution or at + length > head:
            return False
        # What the keeper could not keep counts in the offset, so a larger end is no fault.
        if kind == journal.OUTPUT and open_sizes.pop(stream, 0) > offset + length - journal.FRAME_SIZE - tag_size:
            return False
        at = previous if previous < at else 0
    return True


def lost_as_a_whole(accounts: Sequence[Account], size: int | None, tree: str) -> list[Loss]:
    """Returns the loss of a journal that cannot be read at all. `size` is the number of bytes that it had or has (None:
    nothing says that there was one)."""
    whole = losses(accounts, {})
    if not whole and (size is not None or any(account.last_record for account in accounts)):
        whole = [Loss(tree, journal.NO_STREAM, max(0, (size or 0) - journal.HEADER_SIZE))]
    return whole
