"""The grammar of places: a client sends a token to resume a stream or page at its place.

Only this module writes and parses the tokens:

    f-4096                                a place in a journal: behind the record that ends there
    f-4096~1                              … and one of the events or lines behind it has been sent
    line-12                               behind line 12 of one execution
    7.f-4096  7.f-4096~2                  the tail of an execution: its last event row, and a place in its journal
    7  7~1                                the stream of all events: its last event row
    7;<tree>@f-4096;<tree>@f-0            the stream of a page: its last event row, and a place in each tree

A number has 1 to 18 digits, that of a line at most 15. Every parsing function raises `InvalidError` for any other
text; the message names the parameter or header that had the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from squall.core.errors import InvalidError

Place: TypeAlias = int
"""The place of a reader in a journal: behind a record. Only the journal's adapter knows the meaning of the number."""

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
    """The place of a reader of one output: the reader has everything up to `place`, and `seen` of the events or lines
    behind it (None: the stream does not count them). Behind the last record, these are the unfinished characters at the
    end of the output."""

    place: Place
    seen: int | None = None

    def token(self) -> str:
        """The token."""
        return format_place(self.place) if self.seen is None else f"f-{self.place}~{self.seen}"


class LineMark(NamedTuple):
    """The place of a reader of one execution's lines: the reader has everything up to the line `number`."""

    number: int

    def token(self) -> str:
        """The token."""
        return f"line-{self.number}"


class TailMark(NamedTuple):
    """The place of a reader of an execution's tail: the last event row, the place in the journal, and the number of
    events of the next record that have been sent."""

    row: int
    place: Place
    sent: int = 0

    def token(self) -> str:
        """The token."""
        return f"{self.row}.f-{self.place}~{self.sent}" if self.sent else f"{self.row}.f-{self.place}"

    def stem(self) -> str:
        """Returns the start of the tokens for the events of the next record; the number of the event follows it."""
        return f"{self.row}.f-{self.place}~"


class FeedMark(NamedTuple):
    """The place of a reader of all events: the last event row, and 1 if the first of the next row's two events has been
    sent."""

    row: int
    sent: int = 0

    def token(self) -> str:
        """The token."""
        return f"{self.row}~{self.sent}" if self.sent else str(self.row)


class PageMark(NamedTuple):
    """The place of a page: the last event row, and the place in each tree that the page follows."""

    row: int
    trees: Mapping[str, Place]

    def token(self) -> str:
        """The token."""
        return "".join([str(self.row), *(f";{tree}@f-{place}" for tree, place in self.trees.items())])


def format_place(place: Place) -> str:
    """Returns the token of a place in a journal."""
    return f"f-{place}"


def parse_place(token: str, name: str) -> Place:
    """Parses a token of `format_place`. `name` is the parameter or header that had the token, for the error message."""
    match = _PLACE.fullmatch(token)
    if match is None:
        raise _no_place(token, name)
    return int(match[1])


def parse_output(token: str, name: str) -> OutputMark:
    """Parses the place of a reader of one output; `name` as in `parse_place`."""
    match = _OUTPUT.fullmatch(token)
    if match is None:
        raise _no_place(token, name)
    return OutputMark(int(match[1]), None if match[2] is None else int(match[2]))


def is_line(token: str) -> bool:
    """Checks whether a token is that of a `LineMark`."""
    return token.startswith("line-")


def parse_lines(token: str, name: str) -> OutputMark | LineMark:
    """Parses the place of a reader of lines; `name` as in `parse_place`."""
    if not is_line(token):
        return parse_output(token, name)
    match = _LINE.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return LineMark(int(match[1]))


def parse_tail(token: str, name: str) -> TailMark:
    """Parses the place of a reader of an execution's tail; `name` as in `parse_place`."""
    match = _TAIL.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return TailMark(int(match[1]), int(match[2]), int(match[3] or 0))


def parse_feed(token: str, name: str) -> FeedMark:
    """Parses the place of a reader of all events; `name` as in `parse_place`. The token of a tail names such a place
    too: its event row."""
    match = _FEED.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return FeedMark(int(match[1]), int(match[2] or 0))


def parse_page(token: str, name: str) -> PageMark:
    """Parses the place of a page; `name` as in `parse_place`."""
    match = _PAGE.fullmatch(token)
    if match is None:
        raise _no_id(token, name)
    return PageMark(int(match[1]), {tree: int(place) for tree, place in _TREES.findall(match[2])})


def _no_place(token: str, name: str) -> InvalidError:
    return InvalidError(
        f"{name}: {token!r} is not a position in a journal; give one that this output's stream has sent."
    )


def _no_id(token: str, name: str) -> InvalidError:
    return InvalidError(f"{name}: {token!r} is not an id of this stream; give one that the stream has sent.")
