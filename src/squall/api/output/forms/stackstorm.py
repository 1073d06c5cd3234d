"""StackStorm's output events: one for each printed line or part of a line.

The text of many lines is encoded to JSON once, then split into frames. A loop that encodes each line costs ten times as
much.
"""

from __future__ import annotations

import orjson

from squall.core.event.events import OUTPUT_CREATE
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.places import format_place
from squall.core.timestamp import to_iso
from squall.services.output.labels import Label

_BETWEEN = b'","'


def _frame(record: Record, label: Label | None) -> tuple[bytes, bytes]:
    """Returns the bytes before and after the text of each event of a record."""
    fields = {
        "execution_id": record.execution,
        "action_ref": label.action if label else None,
        "runner_ref": label.runner if label else None,
        "timestamp": to_iso(record.time),
        "output_type": journal.STREAMS.get(record.stream, "output"),
        "position": format_place(record.end),
        "id": format_place(record.end),
        **({"tag": record.tag} if record.tag else {}),
        "data": "",
    }
    # The object ends in `"data":""}`, so without its last two bytes the text can follow.
    prefix = b"event: %s\ndata: %s" % (OUTPUT_CREATE.encode(), orjson.dumps(fields)[:-2])
    return prefix, b'"}\n\n'


def line_texts(record: Record) -> list[str]:
    """Returns the text of each event of an output record: complete lines with their newline, then an incomplete
    line."""
    text, _ = journal.decode_text(record.lead, record.payload, bool(record.tag))
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def line_events(record: Record, texts: list[str], label: Label | None) -> list[bytes]:
    """Returns the events without their `id:` line, in order. `texts` are the record's."""
    if not texts:
        return []
    prefix, suffix = _frame(record, label)
    # Inside a JSON string a quote is always escaped, so quote-comma-quote only stands between two strings.
    pieces = orjson.dumps(texts)[2:-2].split(_BETWEEN)
    return [b"%s%s%s" % (prefix, piece, suffix) for piece in pieces]


def numbered_events(record: Record, texts: list[str], label: Label | None, mark: bytes) -> list[bytes]:
    """Returns the events with ids: `mark`, then the event's number from 1 on."""
    if not texts:
        return []
    prefix, suffix = _frame(record, label)
    pieces = orjson.dumps(texts)[2:-2].split(_BETWEEN)
    return [b"id: %s%d\n%s%s%s" % (mark, number, prefix, piece, suffix) for number, piece in enumerate(pieces, 1)]


def joined_events(record: Record, texts: list[str], label: Label | None, event_id: bytes) -> bytes:
    """Returns all events of a record with one id, joined without a loop."""
    if not texts:
        return b""
    prefix, suffix = _frame(record, label)
    prefix = b"id: %s\n%s" % (event_id, prefix)
    return prefix + orjson.dumps(texts)[2:-2].replace(_BETWEEN, suffix + prefix) + suffix
