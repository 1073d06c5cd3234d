"""Lines as the definition says them, one byte after the other: what everything clever is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from squall.core.output import journal
from squall.core.output.journal import Record
from squall.core.output.lines import Line

EXECUTION = "0" * 24
LENGTH = 100


class Part(NamedTuple):
    """One record: what was printed to a stream, or (None) that something is missing there (stream 0: everywhere)."""

    stream: int
    tag: str
    data: bytes | None


def records_of(parts: Sequence[Part]) -> list[Record]:
    """Records at made-up places; `event` is the part's number."""
    return [
        Record(
            at * LENGTH, (at + 1) * LENGTH, journal.GAP if part.data is None else journal.OUTPUT, part.stream,
            EXECUTION, 1000 + at, at, 0, 0, 0, b"", part.tag, memoryview(b"{}" if part.data is None else part.data),
        )
        for at, part in enumerate(parts)
    ]  # fmt: skip


def naive_lines(parts: Sequence[Part]) -> list[Line]:
    """All lines, by number."""
    lines: list[Line] = []
    opened: dict[tuple[int, str], int] = {}
    for at, part in enumerate(parts):
        if part.data is None:
            opened = {key: number for key, number in opened.items() if part.stream and key[0] != part.stream}
            continue
        for byte in part.data:
            key = (part.stream, part.tag)
            if key not in opened:
                opened[key] = len(lines)
                lines.append(Line(len(lines) + 1, part.stream, part.tag, 1000 + at, (at + 1) * LENGTH, b""))
            line = lines[opened[key]]
            lines[opened[key]] = line._replace(data=line.data + bytes([byte]))
            if byte == 10:
                del opened[key]
    return lines
