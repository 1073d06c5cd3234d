"""Messages between processes: server and keeper in both directions, the run log, evaluators, and tagged output."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.contract import Run, Target

from squall.adapters.evaluation.messages import from_json
from squall.adapters.keeper import runlog, wire
from squall.core.output import tagged

WORDS = (b'"op":', b'"spawn"', b'"append_records"', b'"reply"', b'"end"', b'"execution":', b'"tree":', b'"id":')


def pieces(data: bytes) -> Iterator[bytes]:
    """The input in pieces whose size the input says."""
    size = 1 + (data[0] if data else 0) * 16
    return (data[at : at + size] for at in range(0, len(data), size))


def framed(data: bytes) -> bytes:
    """Each line as one message."""
    return b"".join(struct.pack(">I", len(line)) + line for line in data.split(b"\n"))


def requests(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        for received in (framed(data), data):
            unpacker = wire.Unpacker(wire.read_request)
            for piece in pieces(received):
                for message in unpacker.feed(piece):
                    if not isinstance(message.message, wire.Unreadable):
                        again = wire.Unpacker(wire.read_request).feed(wire.request(message.message, message.number))
                        assert again[0].message == message.message or has_nan(message.message)

    return run


def has_nan(value: Any) -> bool:
    """Checks for a number that does not equal itself."""
    return "nan" in repr(value)


def reports(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        for received in (framed(data), data):
            unpacker = wire.Unpacker(wire.read_report)
            for piece in pieces(received):
                for message in unpacker.feed(piece):
                    if not isinstance(message, wire.Unreadable):
                        wire.report(message)

    return run


def run_log(folder: Path) -> Run:
    path = folder / "run.log"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        runlog.read_log(path)

    return run


def tagged_output(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        unpacker = tagged.Unpacker()
        whole = [frame for piece in pieces(data) for frame in unpacker.feed(piece)[0]]
        assert sum(len(frame.payload) for frame in whole) <= len(data)

    return run


TARGETS = (
    Target("keeper_requests", requests, (wire.BadMessageError,), largest=16 << 10, words=WORDS),
    Target("keeper_reports", reports, (wire.BadMessageError,), largest=16 << 10, words=WORDS),
    Target("run_log", run_log, largest=16 << 10, words=(b'"log":', b'"start"', b'"pid"', b'"end"', b'"ack"')),
    Target("evaluator_replies", lambda _folder: from_json, (ValueError, TypeError)),
    Target("tagged_output", tagged_output),
)
