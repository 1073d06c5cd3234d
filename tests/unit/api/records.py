"""Journal records as a writer would have made them, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

from squall.core.output import journal
from squall.core.output.journal import Record

FIRST, SECOND = "0123456789abcdef01234567", "89abcdef0123456701234567"


def output(parts: Sequence[tuple[bytes, int]], execution: str = FIRST) -> list[Record]:
    """Output records of one execution, each part with its stream's number."""
    found: list[Record] = []
    at = journal.HEADER_SIZE
    leads: dict[int, bytes] = {}
    offsets: dict[int, int] = {}
    for payload, stream in parts:
        end = at + journal.FRAME_SIZE + len(payload)
        lead = leads.get(stream, b"")
        found.append(
            Record(
                at, end, journal.OUTPUT, stream, execution, 1_700_000_000_000_000, 0, offsets.get(stream, 0),
                found[-1].start if found else 0, 1, lead, "", memoryview(payload),
            )
        )  # fmt: skip
        leads[stream] = journal.decode_text(lead, payload)[1]
        offsets[stream] = offsets.get(stream, 0) + len(payload)
        at = end
    return found


def status(status: str, execution: str = FIRST, start: int = journal.HEADER_SIZE) -> Record:
    """A record of a new status."""
    payload = b'{"status":"%s"}' % status.encode()
    end = start + journal.FRAME_SIZE + len(payload)
    return Record(
        start, end, journal.STATUS, 0, execution, 1_700_000_000_000_000, 7, 0, 0, 1, b"", "", memoryview(payload)
    )


def gap(payload: bytes, start: int = journal.HEADER_SIZE, stream: int = 1) -> Record:
    """A gap record."""
    end = start + journal.FRAME_SIZE + len(payload)
    return Record(
        start, end, journal.GAP, stream, FIRST, 1_700_000_000_000_000, 0, 0, 0, 1, b"", "", memoryview(payload)
    )
