"""What the server and the processes that read lines say to each other: one type for each question and each answer.

A message is its length (`LENGTH`) and MessagePack, in which a tag names the type.
"""

from __future__ import annotations

import struct
from typing import ClassVar, TypeAlias

import msgspec

from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line

LENGTH = struct.Struct("<I")
"""What stands before each message: its length in bytes."""

Streams: TypeAlias = tuple[int, ...] | None
"""Streams by number; None is all."""


# -- answers; without values they are those about a tree without a journal


class Sums(msgspec.Struct, tag=True):
    """What executions have printed."""

    sums: dict[str, OutputSums] = {}


class Tail(msgspec.Struct, tag=True):
    """The last lines, each with its execution, of the journal up to `position`."""

    rows: list[tuple[str, Line]] = []
    position: int = 0


class States(msgspec.Struct, tag=True):
    """How far the lines of executions go at `position`."""

    states: dict[str, LineState] = {}
    position: int = 0


class Lines(msgspec.Struct, tag=True):
    """Lines by their numbers."""

    page: LinePage = LinePage([], 0, 0, 0)


class Rows(msgspec.Struct, tag=True):
    """Lines by their numbers among those on some streams."""

    page: RowPage = RowPage([], 0, 0)


class LineNumber(msgspec.Struct, tag=True):
    """The number of a line."""

    number: int = 0


class BytePlace(msgspec.Struct, tag=True):
    """The position to read on from for a byte, and how many bytes behind it come before."""

    position: int = 0
    skip: int = 0


class Matches(msgspec.Struct, tag=True):
    """The lines that match."""

    hits: Hits = Hits([], 0)


class Unfinished(msgspec.Struct, tag=True):
    """The time was over before all lines had been counted: `counted` (0 to 1) is the part that has been."""

    counted: float


class Failed(msgspec.Struct, tag=True):
    """An error, with its code in `core.errors`."""

    code: str
    error: str


Answer: TypeAlias = Sums | Tail | States | Lines | Rows | LineNumber | BytePlace | Matches | Unfinished | Failed


# -- questions; what they mean is as in `ports.Lines`


class Question(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A question about one tree. `seconds` is how long the answer may take; `nothing` makes the answer about a tree
    without a journal."""

    nothing: ClassVar[type[Sums | Tail | States | Lines | Rows | LineNumber | BytePlace | Matches]]
    tree: str
    seconds: float


class AskSums(Question, tag=True, kw_only=True):
    """What these executions (None: all) have printed."""

    nothing = Sums
    executions: list[str] | None = None


class AskTail(Question, tag=True, kw_only=True):
    """The last `count` lines of these executions (None: all)."""

    nothing = Tail
    executions: list[str] | None = None
    count: int
    streams: Streams = None


class AskStates(Question, tag=True, kw_only=True):
    """How far the lines of these executions (None: all) go at a position (None: now)."""

    nothing = States
    executions: list[str] | None = None
    position: int | None = None


class AskLines(Question, tag=True, kw_only=True):
    """The lines `first` to `last`."""

    nothing = Lines
    execution: str
    first: int
    last: int
    streams: Streams = None


class AskRows(Question, tag=True, kw_only=True):
    """The rows `first` to `last`, each up to `cut` bytes."""

    nothing = Rows
    execution: str
    first: int
    last: int
    streams: Streams = None
    cut: int | None = None


class AskLineAt(Question, tag=True, kw_only=True):
    """The first line that began at `time` (µs) or later."""

    nothing = LineNumber
    execution: str
    time: int


class AskByte(Question, tag=True, kw_only=True):
    """Where the byte at `offset` of these streams' output is."""

    nothing = BytePlace
    execution: str
    offset: int
    streams: Streams = None


class AskSearch(Question, tag=True, kw_only=True):
    """The lines that match."""

    nothing = Matches
    execution: str
    search: Search


Asked: TypeAlias = AskSums | AskTail | AskStates | AskLines | AskRows | AskLineAt | AskByte | AskSearch
