"""Journal records as bytes of an answer: text, raw bytes, JSON lines, or server-sent events.

A batch is encoded once for all readers with the same request at the same position. Consecutive records of one stream of
one execution are joined into one piece, because the cost grows with the number of pieces, not of bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from squall.api.output.forms.frames import frame
from squall.core.event.events import GAP, OUTPUT_CREATE, PROGRESS
from squall.core.execution.execution import FINAL
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.places import OutputMark, Place, format_place
from squall.core.timestamp import to_iso
from squall.services.output.labels import Label
from squall.services.output.outputs import status_of

TEXT, RAW, NDJSON, SSE, SSE_RAW = "text", "raw", "ndjson", "sse", "sse_raw"
FORMATS = (TEXT, RAW, NDJSON, SSE)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

Leads = dict[tuple[str, int], bytes]


class Encoded(NamedTuple):
    """The encoded bytes of one batch. `leads` are the unfinished characters at its end, by execution and stream; tagged
    output has none."""

    data: bytes
    leads: Leads


class Jump(NamedTuple):
    """A jump of a reader from one position to another, over `size` bytes of the journal. `ms` was its lag."""

    start: Place
    end: Place
    size: int
    ms: int


class _Piece(NamedTuple):
    """Consecutive records of one stream of one execution."""

    first: Record
    last: Record
    payload: bytes


def pieces(records: Sequence[Record]) -> list[_Piece]:
    """Joins consecutive records. A record other than output stays alone."""
    joined: list[_Piece] = []
    run: list[Record] = []
    for record in records:
        if run and (
            record.kind != journal.OUTPUT
            or run[0].kind != journal.OUTPUT
            or (record.execution, record.stream, record.tag) != (run[0].execution, run[0].stream, run[0].tag)
        ):
            joined.append(_piece(run))
            run = []
        run.append(record)
    if run:
        joined.append(_piece(run))
    return joined


def _piece(run: list[Record]) -> _Piece:
    payload = bytes(run[0].payload) if len(run) == 1 else b"".join([record.payload for record in run])
    return _Piece(run[0], run[-1], payload)


def encode(form: str, records: Sequence[Record], labels: Mapping[str, Label]) -> Encoded:
    """Encodes records (output, gaps, progress and statuses) in one of the formats."""
    leads: Leads = {}
    if form == RAW:
        return Encoded(b"".join([record.payload for record in records if record.kind == journal.OUTPUT]), leads)
    parts: list[bytes] = []
    for piece in pieces(records):
        if piece.first.kind == journal.GAP:
            parts.append(_gap(form, piece.first))
            continue
        if piece.first.kind == journal.PROGRESS:
            parts.append(_progress(form, piece.first))
            continue
        if piece.first.kind == journal.STATUS:
            parts.append(_status(form, piece.first, labels.get(piece.first.execution)))
            continue
        key = (piece.first.execution, piece.first.stream)
        if form == SSE_RAW:
            parts.append(_output_event(_fields(piece, labels, None)))
            continue
        text, lead = journal.decode_text(piece.first.lead, piece.payload, bool(piece.first.tag))
        if not piece.first.tag:
            leads[key] = lead
        if form == TEXT:
            parts.append(text.encode())
        elif form == SSE:
            # A piece that ends inside its first character has no text yet, but clients need its position.
            parts.append(_output_event(_fields(piece, labels, text)))
        else:
            parts.append(orjson.dumps(_fields(piece, labels, text)) + b"\n")
    return Encoded(b"".join(parts), leads)


def leftovers(form: str, leads: Leads, labels: Mapping[str, Label], place: Place, sent: int = 0) -> bytes:
    """Returns the replacement characters for unfinished characters at the end of the output, one for each, in the order
    of executions and streams, without the first `sent`.

    Each has a token of the last position and of its number: a client that resumes with it gets the next one.
    """
    unfinished = sorted(key for key, lead in leads.items() if lead)
    if form == TEXT:
        return _REPLACEMENT.encode() * len(unfinished[sent:])
    if form not in (SSE, NDJSON):
        return b""
    parts: list[bytes] = []
    for number, (execution, stream) in enumerate(unfinished[sent:], sent + 1):
        label = labels.get(execution)
        token = OutputMark(place, number).token()
        fields = {
            "execution_id": execution,
            "action_ref": label.action if label else None,
            "runner_ref": label.runner if label else None,
            "output_type": journal.STREAMS[stream],
            "data": _REPLACEMENT,
            "position": token,
        }
        line = orjson.dumps(fields)
        parts.append(frame(OUTPUT_CREATE, line, token) if form == SSE else line + b"\n")
    return b"".join(parts)


def gap_text(record: Record) -> str:
    """Returns the text that people read in place of lost output."""
    gap = msgspec.json.decode(record.payload)
    if gap["reason"] == "damage" and record.stream:
        return f"\n[squall: {gap['bytes']} bytes of {journal.STREAMS[record.stream]} are damaged or missing]\n"
    if gap["reason"] == "damage" and not gap["bytes"]:
        return "\n[squall: the output is damaged or missing]\n"
    if gap["reason"] == "damage":
        return f"\n[squall: {gap['bytes']} bytes of the journal were lost to a damaged disk]\n"
    if gap.get("bytes"):
        return f"[squall: {gap['bytes']} bytes of {journal.STREAMS.get(record.stream, 'output')} were not kept]\n"
    return f"\n[squall: the output limit of {gap.get('limit')} bytes is reached; what follows is not kept]\n"


def _fields(piece: _Piece, labels: Mapping[str, Label], text: str | None) -> dict[str, Any]:
    label = labels.get(piece.first.execution)
    position = format_place(piece.last.end)
    fields: dict[str, Any] = {
        "execution_id": piece.first.execution,
        "action_ref": label.action if label else None,
        "runner_ref": label.runner if label else None,
        "task": label.task if label else None,
        "depth": label.depth if label else 0,
        "timestamp": to_iso(piece.first.time),
        "output_type": journal.STREAMS.get(piece.first.stream, "output"),
        "id": position,
        "position": position,
    }
    if piece.first.tag:
        fields["tag"] = piece.first.tag
    if text is None:
        # The bytes themselves. Valid UTF-8 is sent as text, which is cheaper for server and client.
        try:
            fields["data"] = piece.payload.decode()
        except UnicodeDecodeError:
            fields["data_b64"] = base64.b64encode(piece.payload).decode()
    else:
        fields["data"] = text
    return fields


def _gap(form: str, record: Record) -> bytes:
    if form == TEXT:
        return gap_text(record).encode()
    fields = {
        **msgspec.json.decode(record.payload),
        "execution_id": record.execution,
        "timestamp": to_iso(record.time),
        "output_type": journal.STREAMS.get(record.stream, "output"),
        "position": format_place(record.end),
    }
    if form == NDJSON:
        return orjson.dumps({"gap": fields}) + b"\n"
    return frame(GAP, orjson.dumps(fields), fields["position"])


def _progress(form: str, record: Record) -> bytes:
    """Returns the event that a silent action is still running; nothing in the format text."""
    if form == TEXT:
        return b""
    fields = {
        **msgspec.json.decode(record.payload),
        "execution_id": record.execution,
        "timestamp": to_iso(record.time),
        "position": format_place(record.end),
    }
    if form == NDJSON:
        return orjson.dumps({"progress": fields}) + b"\n"
    return frame(PROGRESS, orjson.dumps(fields), fields["position"])


def status_fields(record: Record) -> dict[str, Any]:
    """Returns the fields of the event for a status record."""
    status = status_of(record)
    return {
        "execution_id": record.execution,
        "status": status,
        "final": status in FINAL,
        "timestamp": to_iso(record.time),
        "position": format_place(record.end),
    }


def _status(form: str, record: Record, label: Label | None) -> bytes:
    """Returns the event for a new status of an execution, with its place in the tree; nothing in the format text."""
    if form == TEXT:
        return b""
    fields = status_fields(record)
    if label is not None:
        fields |= {"parent": label.parent, "task": label.task, "item": label.item}
    if form == NDJSON:
        return orjson.dumps({"status": fields}) + b"\n"
    return frame("status", orjson.dumps(fields), fields["position"])


def _output_event(fields: Mapping[str, Any]) -> bytes:
    return frame(OUTPUT_CREATE, orjson.dumps(fields), fields["position"])


def jumped(form: str, execution: str, jump: Jump) -> bytes:
    """Returns the gap for a reader of the execution's output that jumped."""
    if form == RAW:
        return b""
    if form == TEXT:
        return f"\n[squall: skipped to the present: {jump.size} bytes, {jump.ms / 1000:.1f} s of output]\n".encode()
    fields = {
        "reason": "skipped",
        "bytes": jump.size,
        "seconds": round(jump.ms / 1000, 3),
        "from": format_place(jump.start),
        "to": format_place(jump.end),
        "position": format_place(jump.end),
        "execution_id": execution,
    }
    if form == NDJSON:
        return orjson.dumps({"gap": fields}) + b"\n"
    return frame(GAP, orjson.dumps(fields), format_place(jump.end))
