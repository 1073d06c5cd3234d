"""Paths of criteria, such as `trigger.body.items[0].name`: JSONPath as StackStorm's rules write it.

Only the first match of a path counts, so a search ends there. Each value that a search visits costs one of its `Steps`:
`..` and `*` could visit a large payload again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from squall.core.content.keyvalue import KeyNames, key_text
from squall.core.event.rules import path_parts as parts
from squall.core.event.rules.path_parts import Finder, Place, Steps

LONGEST = 1000
"""The most characters of a path."""

MOST_PARTS = 64
"""The most parts of a path."""

_CACHED = 20_000
_TOKEN = re.compile(
    r"""[ \t]*(?:
        (?P<number>-?[0-9]+) | (?P<name>(?:@|[^\W\d])[\w@-]*) | (?P<mark>\.\.|[.\[\]()$,:|*])
        | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)' | `(?P<operator>[a-z]+)` | (?P<end>\#|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BINDS = {"..": 1, ".": 2, "|": 3, "where": 4}
"""The operators between two paths; one with a larger number binds more tightly. It is the order of jsonpath-rw."""


class PathError(ValueError):
    """A path is wrong. The message says where."""


class Found(NamedTuple):
    """The first match of a path. If there is none, `exists` is false and `value` is None."""

    exists: bool
    value: Any


_NOTHING = Found(False, None)


class JsonPath:
    """A parsed path. `text` is the path without its `#suffix`."""

    __slots__ = ("_finder", "_keys", "text")

    def __init__(self, text: str, finder: Finder, keys: tuple[str | int, ...] | None) -> None:
        self.text = text
        self._finder = finder
        self._keys = keys

    def first(self, root: Any, steps: Steps) -> Found:
        """Returns the first match in `root`. Raises `StepsError`."""
        if self._keys is not None:
            return _followed(root, self._keys)
        place = next(self._finder(Place(root, None), steps), None)
        return _NOTHING if place is None else _match(place.value)


def _followed(value: Any, keys: tuple[str | int, ...]) -> Found:
    for key in keys:
        kind = type(value)
        if kind is dict:
            if key not in value:
                return _NOTHING
            value = value[key]
        elif isinstance(key, int):
            if kind not in (list, str) or not -len(value) <= key < len(value):
                return _NOTHING
            value = value[key]
        elif kind is KeyNames:
            value = value[key]
        else:
            return _NOTHING
    return _match(value)


def _match(value: Any) -> Found:
    if type(value) is not KeyNames:
        return Found(True, value)
    text = key_text(value)
    return Found(text is not None, text)


@lru_cache(_CACHED)
def parse_path(text: str) -> JsonPath:
    """Parses the key of a criterion, and caches the path. A `#` outside of quotes begins a suffix, which makes keys
    with the same path different. Raises `PathError`."""
    if len(text) > LONGEST:
        raise PathError(f"a path has at most {LONGEST} characters, not {len(text)}")
    return _Parser(text).path()


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            raise PathError(f"{text[at:].strip()[:20]!r} at character {at + 1} is no part of a path{_advice(text, at)}")
        kind = str(match.lastgroup)
        value = match[kind]
        if kind in ("double", "single"):
            kind, value = "quoted", _ESCAPED.sub(r"\1", value)
        yield _Token(kind, value, match.start(match.lastgroup or 0))
        if kind == "end":
            return
        at = match.end()


def _advice(text: str, at: int) -> str:
    if text[at:].lstrip()[:1] in ('"', "'", "`"):
        return ": its quote is not closed"
    if text[at:].lstrip()[:1] == "&":
        return ": StackStorm's rules know no intersection either"
    return '; put a name with such characters in quotes, such as trigger.body."a b"'


class _Parser:
    """Parses one path: a name, an index or another part, then operators with more of them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0
        self._parts = 0

    def path(self) -> JsonPath:
        """Returns the whole path. Raises `PathError`."""
        finder, keys = self._expression(0)
        end = self._take()
        if end.kind != "end":
            raise self._error(end)
        return JsonPath(self._text[: end.at].strip(), finder, keys)

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _takes(self, mark: str) -> bool:
        """Takes the next token if it is this mark."""
        is_next = self._tokens[self._next][:2] == ("mark", mark)
        self._next += is_next
        return is_next

    def _error(self, token: _Token) -> PathError:
        if token.kind == "end":
            return PathError("the path ends too early")
        return PathError(f"{token.text!r:.60} at character {token.at + 1} cannot stand there")

    def _expression(self, least: int) -> _Parsed:
        left = self._bracketed(self._primary())
        while True:
            token = self._tokens[self._next]
            binds = _BINDS.get(token.text, 0) if token.kind in ("mark", "name") else 0
            if not binds or binds < least:
                return left
            self._next += 1
            right = self._expression(binds + 1)
            left = _joined(token.text, left, right)

    def _primary(self) -> _Parsed:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise PathError(f"a path has at most {MOST_PARTS} parts")
        token = self._take()
        if token.kind == "quoted" or (token.kind == "name" and token.text != "where"):
            return self._names(token.text)
        if token.kind == "number":
            return parts.number(token.text), None
        if token.kind == "operator" and token.text in parts.OPERATORS:
            return parts.OPERATORS[token.text], None
        if token.kind == "mark" and token.text in ("*", "$"):
            return (parts.every if token.text == "*" else parts.root), (
                () if token.text == "$" and self._next == 1 else None
            )
        if token.kind == "mark" and token.text == "[":
            self._next -= 1
            return self._bracket()
        if token.kind == "mark" and token.text == "(":
            inner = self._expression(0)
            if not self._takes(")"):
                raise self._error(self._take())
            return inner
        raise self._error(token)

    def _names(self, first: str) -> _Parsed:
        names = [first]
        while self._takes(","):
            token = self._take()
            if token.kind not in ("quoted", "name"):
                raise self._error(token)
            names.append(token.text)
        return parts.fields(tuple(names)), ((first,) if len(names) == 1 else None)

    def _bracketed(self, left: _Parsed) -> _Parsed:
        while self._tokens[self._next][:2] == ("mark", "["):
            self._parts += 1
            if self._parts > MOST_PARTS:
                raise PathError(f"a path has at most {MOST_PARTS} parts")
            left = _joined(".", left, self._bracket())
        return left

    def _bracket(self) -> _Parsed:
        self._next += 1
        token = self._take()
        parsed: _Parsed
        if token.kind in ("quoted", "name"):
            parsed = self._names(token.text)
        elif token[:2] == ("mark", "*"):
            parsed = parts.elements(None, None), None
        elif token.kind == "number" and self._tokens[self._next][:2] != ("mark", ":"):
            index = _integer(token)
            parsed = parts.index(index), (index,)
        else:
            start = _integer(token) if token.kind == "number" else None
            if token.kind == "number":
                token = self._take()
            if token[:2] != ("mark", ":"):
                raise self._error(token)
            stop = _integer(self._take()) if self._tokens[self._next].kind == "number" else None
            parsed = parts.elements(start, stop), None
        if not self._takes("]"):
            raise self._error(self._take())
        return parsed


_Parsed = tuple[Finder, "tuple[str | int, ...] | None"]
"""A part, and its keys if it consists of names and indexes only."""


def _integer(token: _Token) -> int:
    if len(token.text) > 10:
        raise PathError(f"the index {token.text[:20]}… is too large")
    return int(token.text)


def _joined(operator: str, left: _Parsed, right: _Parsed) -> _Parsed:
    if operator == ".":
        keys = None if left[1] is None or right[1] is None else left[1] + right[1]
        return parts.child(left[0], right[0]), keys
    join = {"..": parts.descendants, "|": parts.union, "where": parts.where}[operator]
    return join(left[0], right[0]), None
