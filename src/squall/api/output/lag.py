"""How far a reader is behind, and what it wants done about it: everything, or a jump to the present with a gap that
says what was passed over."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from squall.api.http.wire import Query
from squall.api.output.encoding import NDJSON, RAW, TEXT
from squall.core.errors import InvalidError
from squall.core.event.events import GAP
from squall.core.output.journal import Batch
from squall.core.output.places import Place, format_place

TELL_SECONDS = 5.0
"""How often somebody who is being sent output all the time is told the lag."""

_MIB = 1 << 20
_DEFAULT_MIB = 8
_DEFAULT_SECONDS = 10


class LagPolicy(NamedTuple):
    """Whoever is more than so many bytes of the journal, or ms, behind jumps to the present."""

    most_bytes: int
    most_ms: int

    def exceeded(self, ms: int, behind: int) -> bool:
        """Whether somebody that far behind jumps."""
        return behind > self.most_bytes or (behind > 0 and ms > self.most_ms)


def lag_policy(query: Query) -> LagPolicy | None:
    """What `lag=skip`, `lag_mib` and `lag_seconds` ask for; None: everything. Raises `InvalidError`."""
    wanted = query.text("lag", "all")
    if wanted not in ("all", "skip"):
        raise InvalidError(f'lag: "{wanted}" is none of all, skip')
    mib, seconds = query.integer("lag_mib", _DEFAULT_MIB) or 0, query.integer("lag_seconds", _DEFAULT_SECONDS) or 0
    for name, value in (("lag_mib", mib), ("lag_seconds", seconds)):
        if not 1 <= value <= 1 << 20:
            raise InvalidError(f"{name}: {value} is not between 1 and {1 << 20}")
    return LagPolicy(mib * _MIB, seconds * 1000) if wanted == "skip" else None


def lag_of(batch: Batch, left: int, now: int) -> tuple[int, int]:
    """How far a reader who has got this batch is behind if `left` bytes of the journal come after it: ms, and these
    bytes. `now` is in µs."""
    last = batch.records[-1].time if batch.records else 0
    # Where a disk has lost the record, nobody knows its time.
    return max(0, now - last) // 1000 if left and last else 0, left


def lag_comment(ms: int, behind: int) -> bytes:
    """A comment for event streams: clients that do not know it pass it over."""
    return b": lag ms=%d bytes=%d\n\n" % (ms, behind)


def skipped(form: str, execution: str, start: Place, end: Place, ms: int, behind: int) -> bytes:
    """The gap that stands where a reader that was `ms` behind has jumped from one place to another, over `behind` bytes
    of the journal."""
    if form == RAW:
        return b""
    if form == TEXT:
        return f"\n[squall: skipped to the present: {behind} bytes, {ms / 1000:.1f} s of output]\n".encode()
    fields = {
        "reason": "skipped",
        "bytes": behind,
        "seconds": round(ms / 1000, 3),
        "from": format_place(start),
        "to": format_place(end),
        "position": format_place(end),
        "execution_id": execution,
    }
    if form == NDJSON:
        return orjson.dumps({"gap": fields}) + b"\n"
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        format_place(end).encode(),
        GAP.encode(),
        orjson.dumps(fields),
    )
