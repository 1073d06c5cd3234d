"""The events of a tree for a page: its output as events that name the tree, its changes of status, or only the last
line of each execution. Each event comes with the position after it; the sender adds the id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import orjson

from squall.api.output.forms.frames import frame
from squall.api.output.forms.records import SSE, Jump, encode, jumped, status_fields
from squall.core.output import journal
from squall.core.output.journal import Batch, Record
from squall.core.output.places import Place, format_place, parse_place
from squall.core.timestamp import to_iso
from squall.services.output.labels import Label

_LAST_LINE = 200


class Frames(NamedTuple):
    """Events without ids, each with the position after it. All of them end at `place`. `time` is the time of the last
    record (µs; 0: unknown)."""

    events: Sequence[tuple[Place, bytes]]
    place: Place
    time: int


def tree_frames(tree: str, batch: Batch, labels: Mapping[str, Label], *, heads: bool) -> Frames:
    """Returns the events of a batch. With `heads` they have only the last line of each execution instead of its
    output."""
    kinds = (journal.PROGRESS, journal.GAP) if heads else (journal.OUTPUT, journal.GAP, journal.PROGRESS)
    frames: list[tuple[Place, bytes]] = []
    run: list[Record] = []
    for record in batch.records:
        if record.kind in kinds:
            run.append(record)
        elif record.kind == journal.STATUS:
            frames += _named(tree, encode(SSE, run, labels).data)
            frames.append((record.end, _status(tree, record)))
            run = []
    frames += _named(tree, encode(SSE, run, labels).data)
    if heads:
        frames += _heads(tree, batch)
    return Frames(frames, batch.position, batch.records[-1].time if batch.records else 0)


def jump_frames(tree: str, execution: str, jump: Jump) -> Frames:
    """Returns the gap event of a page that jumped to the present."""
    return Frames(_named(tree, jumped(SSE, execution, jump)), jump.end, 0)


def end_frame(tree: str) -> bytes:
    """Returns the event for the end of a tree."""
    return frame("end", orjson.dumps({"tree": tree}))


def _named(tree: str, data: bytes) -> list[tuple[Place, bytes]]:
    """Returns events without their `id:` lines, each with the position from that line, and with the tree's id."""
    prefix = b'\ndata: {"tree":"%s",' % tree.encode()
    frames = []
    for block in data.split(b"\n\n"):
        if block:
            line, _, rest = block.partition(b"\n")
            place = parse_place(line.removeprefix(b"id: ").decode(), "id")
            frames.append((place, rest.replace(b"\ndata: {", prefix, 1) + b"\n\n"))
    return frames


def _status(tree: str, record: Record) -> bytes:
    return frame("status", orjson.dumps({"tree": tree, **status_fields(record)}))


def _heads(tree: str, batch: Batch) -> list[tuple[Place, bytes]]:
    """Returns one event with the last line of each execution that printed in this batch."""
    last: dict[str, Record] = {r.execution: r for r in batch.records if r.kind == journal.OUTPUT and r.payload}
    if not last:
        return []
    heads = [
        {
            "execution_id": record.execution,
            "output_type": journal.STREAMS.get(record.stream, "output"),
            "timestamp": to_iso(record.time),
            "last_line": _last_line(bytes(record.payload)),
        }
        for record in last.values()
    ]
    body = msgspec.json.encode({"tree": tree, "position": format_place(batch.position), "heads": heads})
    return [(batch.position, frame("output", body))]


def _last_line(payload: bytes) -> str:
    lines = payload[-4 * _LAST_LINE :].decode("utf-8", "replace").rstrip("\r\n").replace("\r", "\n").split("\n")
    return lines[-1][-_LAST_LINE:]
