"""The grammar of places: the tokens by which clients say where they are, and go on from there.

Every token is made and read here, and nowhere else:

    f-4096                                a place in a journal: behind the record that ends there
    f-4096~1                              … and so many of the events or lines behind it have been sent
    line-12                               behind line 12 of one execution
    7.f-4096  7.f-4096~2                  the tail of an execution: its last event row, and a place in its journal
    7  7~1                                the stream of all events: its last event row
    7;<tree>@f-4096;<tree>@f-0            the stream of a page: its last event row, and a place in each tree

A number has 1 to 18 digits, that of a line at most 15. Every function that reads raises `InvalidError` for any other
text; the message names where the text was given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from squall.core.errors import InvalidError

Place: TypeAlias = int
"""Where in a journal a reader is: behind a record. Only the journal's adapter knows what the number means."""

BEGINNING: Place = 0
"""The place before everything, in every journal."""

_NUMBER = "([0-9]{1,18})"
_IN_JOURNAL = f"f-{_NUMBER}"
_PLACE = re.compile(_IN_JOURNAL)
_OUTPUT = re.compile(f"{_IN_JOURNAL}(?:~{_NUMBER})?")
_LINE = re.compile("line-([0-9]{1,15})")
_TAIL = re.compile(rf"{_NUMBER}\.{_IN_JOURNAL}(?:~{_NUMBER})?")
_FEED = re.compile(rf"{_NUMBER}(?:~(1)|\.{_IN_JOURNAL}(?:~{_NUMBER})?)?")
_TREE = f"([0-9a-f]{{24}})@{_IN_JOURNAL}"
_PAGE = re.compile(f"{_NUMBER}((?:;{_TREE})*)")
_TREES = re.compile(f";{_TREE}")


class OutputMark(NamedTuple):
    """A reader of one output: everything up to `place`, and `seen` of the events or lines behind it (None: the stream
    does not count them). Behind the last record, 1 stands for the characters that were never finished."""

    place: Place
    seen: int | None = None

    def token(self) -> str:
        """The token."""
        return format_place(self.place) if self.seen is None else f"f-{self.place}~{self.seen}"


class LineMark(NamedTuple):
    """A reader of one execution's lines: everything up to the line `number`."""

    number: int

    def token(self) -> str:
        """The token."""
        return f"line-{self.number}"


class TailMark(NamedTuple):
    """A reader of an execution's tail: the last event row, the place, and how many of the events of the next record
    have been sent."""

    row: int
    place: Place
    sent: int = 0

    def token(self) -> str:
        """The token."""
        return f"{self.row}.f-{self.place}~{self.sent}" if self.sent else f"{self.row}.f-{self.place}"

    def stem(self) -> str:
        """What the tokens of the events of the next record begin with; the number of the event follows."""
        return f"{self.row}.f-{self.place}~"


class FeedMark(NamedTuple):
    """A reader of all events: the last event row, and 1 if the first of the next row's two events has been sent."""

    row: int
    sent: int = 0

    def token(self) -> str:
        """The token."""
        return f"{self.row}~{self.sent}" if self.sent else str(self.row)


class PageMark(NamedTuple):
    """A page: the last event row, and the place in each tree that it follows."""

    row: int
    trees: Mapping[str, Place]

    def token(self) -> str:
        """The token."""
        return "".join([str(self.row), *(f";{tree}@f-{place}" for tree, place in self.trees.items())])


def format_place(place: Place) -> str:
    """The token of a place in a journal."""
    return f"f-{place}"


def parse_place(token: str, name: str) -> Place:
    """The place in a journal that a token of `format_place` names; `name` is where it was given."""
    match = _PLACE.fullmatch(token)
    if match is None:
        raise _no_place(token, name)
    return int(match[1])


def parse_output(token: str, name: str) -> OutputMark:
    """The place of a reader of one output; `name` is where it was given."""
    match = _OUTPUT.fullmatch(token)
    if match is None:
        raise _no_place(token, name)
    return OutputMark(int(match[1]), None if match[2] is None else int(match[2]))


def parse_lines(token: str, name: str) -> OutputMark | LineMark:
    """The place of a reader of lines; `name` is where it was given."""
    if not token.startswith("line-"):
        return parse_output(token, name)
    match = _LINE.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return LineMark(int(match[1]))


def parse_tail(token: str, name: str) -> TailMark:
    """The place of a reader of an execution's tail; `name` is where it was given."""
    match = _TAIL.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return TailMark(int(match[1]), int(match[2]), int(match[3] or 0))


def parse_feed(token: str, name: str) -> FeedMark:
    """The place of a reader of all events. The token of a tail names one too: its event row."""
    match = _FEED.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return FeedMark(int(match[1]), int(match[2] or 0))


def parse_page(token: str, name: str) -> PageMark:
    """The place of a page; `name` is where it was given."""
    match = _PAGE.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return PageMark(int(match[1]), {tree: int(place) for tree, place in _TREES.findall(match[2])})


def _no_place(token: str, name: str) -> InvalidError:
    return InvalidError(
        f"{name}: {token!r} is not a position in a journal; give one that this output's stream has sent."
    )


def _no_id(token: str, name: str) -> InvalidError:
    return InvalidError(f"{name}: {token!r} is no id of this stream")
