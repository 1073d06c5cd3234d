"""Lines of output as the bytes of an answer: text, raw bytes, JSON lines, or server-sent events."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from squall.api.output.forms.frames import frame
from squall.api.output.forms.records import NDJSON, RAW, SSE_RAW, TEXT
from squall.core.event.events import OUTPUT_CREATE
from squall.core.output import journal
from squall.core.output.places import LineMark, format_place
from squall.core.timestamp import to_iso
from squall.services.output.labels import Label
from squall.services.output.line_history import Row

_APART = b"--\n"


def encode_rows(
    form: str, rows: Sequence[Row], labels: Mapping[str, Label], *, numbered: bool = False, timestamps: bool = False
) -> bytes:
    """Encodes lines in one of the formats. Events have ids if they are `numbered`, which needs lines of one execution.
    `timestamps` puts the time before each line of text."""
    if form == RAW:
        return b"".join([row.line.data for row in rows])
    if form == TEXT:
        parts = []
        for row in rows:
            if row.apart:
                parts.append(_APART)
            if timestamps:
                parts.append(to_iso(row.line.time).encode() + b" ")
            parts.append(row.line.data.decode("utf-8", "replace").encode())
        return b"".join(parts)
    return b"".join([framed_row(form, row, labels, _line_token(row) if numbered else "") for row in rows])


def _line_token(row: Row) -> str:
    """Returns the id of a line from the history. A client that resumes with it gets the lines after it."""
    return LineMark(row.line.number).token() if row.line.number else ""


def framed_row(form: str, row: Row, labels: Mapping[str, Label], token: str) -> bytes:
    """Returns one line as a line of JSON, or as an event with the id `token`."""
    body = orjson.dumps(row_fields(row, labels.get(row.execution), exact=form == SSE_RAW))
    if form == NDJSON:
        return body + b"\n"
    return frame(OUTPUT_CREATE, body, token)


def row_fields(row: Row, label: Label | None, *, exact: bool = False) -> dict[str, Any]:
    """Returns one line as JSON. `line` is its number (null if it is not counted yet), `data` its text without the
    newline. `complete` is true if the line has its newline. `left_out` is the number of bytes missing from `data`.

    With `exact`, bytes that are not UTF-8 are in `data_b64`.
    """
    line = row.line
    text = line.data[:-1] if line.complete else line.data
    fields: dict[str, Any] = {
        "execution_id": row.execution,
        "line": line.number or None,
        "output_type": journal.STREAMS.get(line.stream, "output"),
        "timestamp": to_iso(line.time),
        "position": format_place(line.position),
        "data": "",
        "complete": line.complete,
        "action_ref": label.action if label else None,
        "task": label.task if label else None,
        "depth": label.depth if label else 0,
    }
    try:
        fields["data"] = text.decode("utf-8", "strict" if exact else "replace")
    except UnicodeDecodeError:
        fields["data_b64"] = base64.b64encode(text).decode()
        del fields["data"]
    if line.left:
        fields["left_out"] = line.left
        if line.from_end:
            fields["from_end"] = True
    if line.tag:
        fields["tag"] = line.tag
    if row.match:
        fields["match"] = True
    return fields
