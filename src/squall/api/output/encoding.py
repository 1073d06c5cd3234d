"""Journal records as bytes of an answer: text, raw bytes, JSON lines, or server-sent events.

A batch is encoded once for everyone who reads the same thing from the same place. Records that follow each other in
one stream of one execution leave as one piece: the number of pieces is what costs, not the number of bytes.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from squall.core.event.events import GAP, OUTPUT_CREATE, PROGRESS
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.places import OutputMark, Place, format_place
from squall.core.timestamp import to_iso
from squall.services.output.labels import Label

TEXT, RAW, NDJSON, SSE, SSE_RAW = "text", "raw", "ndjson", "sse", "sse_raw"
FORMATS = (TEXT, RAW, NDJSON, SSE)
_BUDGET = 8 << 20
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

Leads = dict[tuple[str, int], bytes]


class Encoded(NamedTuple):
    """What is sent for one batch. `leads` are the unfinished characters it leaves, by execution and stream; tagged
    output leaves none."""

    data: bytes
    leads: Leads


class _Piece(NamedTuple):
    """Neighbouring records of one stream of one execution."""

    first: Record
    last: Record
    payload: bytes


def pieces(records: Sequence[Record]) -> list[_Piece]:
    """Joins neighbours; a record that is no output stands alone."""
    found: list[_Piece] = []
    run: list[Record] = []
    for record in records:
        if run and (
            record.kind != journal.OUTPUT
            or run[0].kind != journal.OUTPUT
            or (record.execution, record.stream, record.tag) != (run[0].execution, run[0].stream, run[0].tag)
        ):
            found.append(_piece(run))
            run = []
        run.append(record)
    if run:
        found.append(_piece(run))
    return found


def _piece(run: list[Record]) -> _Piece:
    payload = bytes(run[0].payload) if len(run) == 1 else b"".join([record.payload for record in run])
    return _Piece(run[0], run[-1], payload)


def encode(form: str, records: Sequence[Record], labels: Mapping[str, Label]) -> Encoded:
    """The records (output, gaps and progress) in one of the formats."""
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
        key = (piece.first.execution, piece.first.stream)
        if form == SSE_RAW:
            parts.append(_event(OUTPUT_CREATE, piece.last.end, _fields(piece, labels, None)))
            continue
        text, lead = journal.decode_text(piece.first.lead, piece.payload, bool(piece.first.tag))
        if not piece.first.tag:
            leads[key] = lead
        if form == TEXT:
            parts.append(text.encode())
        elif form == SSE:
            # A piece that ends inside its first character shows nothing yet, but its position counts.
            parts.append(_event(OUTPUT_CREATE, piece.last.end, _fields(piece, labels, text)))
        else:
            parts.append(orjson.dumps(_fields(piece, labels, text)) + b"\n")
    return Encoded(b"".join(parts), leads)


def leftovers(form: str, leads: Leads, labels: Mapping[str, Label], position: Place) -> bytes:
    """What the characters that were never finished become at the end: one replacement character each.

    The last event's id is the last position and `~1`: who has seen it has seen all of them.
    """
    parts: list[bytes] = []
    for (execution, stream), lead in leads.items():
        if not lead:
            continue
        if form == TEXT:
            parts.append(_REPLACEMENT.encode())
        elif form in (SSE, NDJSON):
            label = labels.get(execution)
            fields = {
                "execution_id": execution,
                "action_ref": label.action if label else None,
                "runner_ref": label.runner if label else None,
                "output_type": journal.STREAMS[stream],
                "data": _REPLACEMENT,
            }
            line = orjson.dumps(fields)
            parts.append(b"event: %s\ndata: %s\n\n" % (OUTPUT_CREATE.encode(), line) if form == SSE else line + b"\n")
    if parts and form == SSE:
        parts[-1] = b"id: %s\n%s" % (OutputMark(position, 1).token().encode(), parts[-1])
    return b"".join(parts)


def gap_text(record: Record) -> str:
    """What people read where output was dropped."""
    told = msgspec.json.decode(record.payload)
    if told["reason"] == "damage":
        return f"\n[squall: {told['bytes']} bytes of the journal were lost to a damaged disk]\n"
    if told.get("bytes"):
        return f"[squall: {told['bytes']} bytes of {journal.STREAMS.get(record.stream, 'output')} were not kept]\n"
    return f"\n[squall: the output limit of {told.get('limit')} bytes is reached; what follows is not kept]\n"


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
        # The bytes themselves: as text when they are text of their own, which is cheaper for both ends.
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
    return _event(GAP, record.end, fields)


def _progress(form: str, record: Record) -> bytes:
    """That a silent action lives: for those who read events; nothing in a text."""
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
    return _event(PROGRESS, record.end, fields)


def _event(name: str, position: Place, fields: Mapping[str, Any]) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        format_place(position).encode(),
        name.encode(),
        orjson.dumps(fields),
    )


class EncodedCache:
    """The pieces encoded last, by what was asked and from where; bounded in bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], Encoded] = OrderedDict()
        self._size = 0

    def get(self, key: tuple[Any, ...]) -> Encoded | None:
        """What was kept."""
        return self._kept.get(key)

    def put(self, key: tuple[Any, ...], encoded: Encoded) -> None:
        """Keeps it, and lets the oldest go."""
        self._kept[key] = encoded
        self._size += len(encoded.data)
        while self._size > _BUDGET and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.data)
