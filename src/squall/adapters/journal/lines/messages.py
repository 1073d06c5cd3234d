"""The messages between the server and the processes that read lines: one type for each question and each answer.

A message is its length (`LENGTH`) and MessagePack, in which a tag names the type.
"""

from __future__ import annotations

import struct
from typing import ClassVar, TypeAlias

import msgspec

from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line

LENGTH = struct.Struct("<I")
"""The prefix of each message: its length in bytes."""

Streams: TypeAlias = tuple[int, ...] | None
"""Streams by number; None means all."""


# -- answers; the default values answer for a tree without a journal


class Sums(msgspec.Struct, tag=True):
    """The sums of the output of executions."""

    sums: dict[str, OutputSums] = {}


class Tail(msgspec.Struct, tag=True):
    """The last lines, each with its execution, of the journal up to `position`."""

    rows: list[tuple[str, Line]] = []
    position: int = 0


class States(msgspec.Struct, tag=True):
    """The state of the lines of executions at `position`."""

    states: dict[str, LineState] = {}
    position: int = 0


class Lines(msgspec.Struct, tag=True):
    """Lines, selected by their numbers."""

    page: LinePage = LinePage([], 0, 0, 0)


class Rows(msgspec.Struct, tag=True):
    """Lines, selected by their numbers among the lines on some streams."""

    page: RowPage = RowPage([], 0, 0)


class LineNumber(msgspec.Struct, tag=True):
    """The number of a line."""

    number: int = 0


class BytePlace(msgspec.Struct, tag=True):
    """The place of a byte: a position to read from, and the number of output bytes to skip behind it."""

    position: int = 0
    skip: int = 0


class Matches(msgspec.Struct, tag=True):
    """The lines that match a search."""

    hits: Hits = Hits([], 0)


class Unfinished(msgspec.Struct, tag=True):
    """The answer if time ran out before all lines were counted. `counted` (0 to 1) is the counted part."""

    counted: float


class Failed(msgspec.Struct, tag=True):
    """An error: its code in `core.errors`, and its text."""

    code: str
    error: str


Answer: TypeAlias = Sums | Tail | States | Lines | Rows | LineNumber | BytePlace | Matches | Unfinished | Failed


# -- questions; their meaning is as in `ports.Lines`


class Question(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A question about one tree. The answer may take `seconds`. `nothing` is the type whose default values answer for
    a tree without a journal."""

    nothing: ClassVar[type[Sums | Tail | States | Lines | Rows | LineNumber | BytePlace | Matches]]
    tree: str
    seconds: float


class AskSums(Question, tag=True, kw_only=True):
    """Requests the sums of these executions (None: all)."""

    nothing = Sums
    executions: list[str] | None = None


class AskTail(Question, tag=True, kw_only=True):
    """Requests the last `count` lines of these executions (None: all)."""

    nothing = Tail
    executions: list[str] | None = None
    count: int
    streams: Streams = None


class AskStates(Question, tag=True, kw_only=True):
    """Requests the line states of these executions (None: all) at a position (None: now)."""

    nothing = States
    executions: list[str] | None = None
    position: int | None = None


class AskLines(Question, tag=True, kw_only=True):
    """Requests the lines `first` to `last`."""

    nothing = Lines
    execution: str
    first: int
    last: int
    streams: Streams = None


class AskRows(Question, tag=True, kw_only=True):
    """Requests the rows `first` to `last`, with up to `cut` bytes of each."""

    nothing = Rows
    execution: str
    first: int
    last: int
    streams: Streams = None
    cut: int | None = None


class AskLineAt(Question, tag=True, kw_only=True):
    """Requests the number of the first line that began at `time` (µs) or later."""

    nothing = LineNumber
    execution: str
    time: int


class AskByte(Question, tag=True, kw_only=True):
    """Requests the place of the byte at `offset` of these streams' output."""

    nothing = BytePlace
    execution: str
    offset: int
    streams: Streams = None


class AskSearch(Question, tag=True, kw_only=True):
    """Requests the lines that match a search."""

    nothing = Matches
    execution: str
    search: Search


AnyQuestion: TypeAlias = AskSums | AskTail | AskStates | AskLines | AskRows | AskLineAt | AskByte | AskSearch
