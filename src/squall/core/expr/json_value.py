"""The conversion of expressions' values to plain JSON: workflows store, and actions take, only JSON.

A value that has a near form in JSON becomes that: a tuple, a set, a view, a range or an iterator becomes an array; a
number or a boolean that is a key becomes text; bytes of UTF-8 and dates become text. All other values are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, KeysView, Mapping, Set, ValuesView
from datetime import date, time, timedelta
from typing import Any

from jinja2 import Undefined

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.limits import MAX_NODES, MAX_SIZE

DEEPEST = 300
"""The most levels of arrays and objects in each other."""

MOST_DIGITS = 4300
"""The digits of the largest number: Python converts no more to text, nor from text."""

_MOST_BITS = int(MOST_DIGITS * math.log2(10))
_ATOMS = frozenset({type(None), bool})
_SMALL = 1 << 63
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTED = 80
_ARRAYS = (tuple, Set, KeysView, ValuesView, range)


class NotJsonError(ValueError):
    """A value has no form in JSON. The message names the part, and says why."""


def json_value(value: Any) -> Any:
    """Returns the value as plain JSON: None, bool, int, float, str, list, and dict with keys of text.

    Returns a plain value itself, not a copy. Raises `NotJsonError`, and `LimitExceededError` for a value that has too
    many parts.
    """
    return _Conversion().value(value, 0)


def json_key(key: Any) -> str:
    """Returns the key of an object in JSON's form: `80` becomes `"80"`, None `"null"`. Raises `NotJsonError`."""
    if isinstance(key, str):
        return _text(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return str(_number(key))
    if isinstance(key, date | time):
        return key.isoformat()
    raise NotJsonError(f"the key {_quoted(key)} is of type {type(key).__name__}, and keys of JSON objects are text")


def printable(text: str) -> str:
    """Returns a message that can be stored: halves of surrogate pairs, which UTF-8 cannot encode, become `\\udXXX`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class _Conversion:
    """Converts one value, and counts its parts."""

    def __init__(self) -> None:
        self._nodes = 0
        self._size = 0

    def value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            self._count(1, len(value))
            return _text(value)
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return _number(value)
        if depth >= DEEPEST:
            raise NotJsonError(f"it nests more than {DEEPEST} times")
        if kind is dict:
            return self._object(value, depth + 1)
        if kind is list:
            return self._array(value, depth + 1)
        return self._other(value, depth)

    def _count(self, nodes: int, size: int) -> None:
        self._nodes += nodes
        self._size += size
        if self._nodes > MAX_NODES:
            raise LimitExceededError("The expression makes too large a structure.")
        if self._size > MAX_SIZE:
            raise LimitExceededError(f"The expression makes a value of more than {MAX_SIZE >> 20} MiB.")

    def _array(self, items: list[Any], depth: int) -> list[Any]:
        self._count(len(items), 0)
        copy: list[Any] | None = None
        size = 0
        for at, item in enumerate(items):
            kind = type(item)
            # Most parts of large values have these types; a call for each part would take most of the time.
            if kind in _ATOMS or (kind is int and -_SMALL < item < _SMALL):
                plain = item
            elif kind is str and item.isascii():
                plain = item
                size += len(item)
            else:
                plain = self.value(item, depth)
                if copy is None and plain is not item:
                    copy = items[:at]
            if copy is not None:
                copy.append(plain)
        self._count(0, size)
        return items if copy is None else copy

    def _object(self, entries: dict[Any, Any], depth: int) -> dict[str, Any]:
        self._count(len(entries), 0)
        is_plain = True
        copy: dict[str, Any] = {}
        size = 0
        for key, item in entries.items():
            name = key
            if type(key) is not str or not key.isascii():
                name = json_key(key)
                is_plain = is_plain and name is key
            if name in copy:
                raise NotJsonError(f'two of its keys become "{printable(name)}": in JSON all keys of objects are text')
            kind = type(item)
            if kind in _ATOMS or (kind is int and -_SMALL < item < _SMALL):
                copy[name] = item
            elif kind is str and item.isascii():
                copy[name] = item
                size += len(item)
            else:
                copy[name] = plain = self.value(item, depth)
                is_plain = is_plain and plain is item
        self._count(0, size)
        return entries if is_plain else copy

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, Undefined):
            raise NotJsonError(value._undefined_message)
        if isinstance(value, str):
            return self.value(str.__str__(value), depth)
        if isinstance(value, int | float):
            return _number(int(value) if isinstance(value, int) else float(value))
        if hasattr(type(value), "__html__"):
            # By Jinja's convention such a value, a datastore key for example, stands for its text.
            return self.value(str(value), depth)
        if isinstance(value, bytes | bytearray):
            return self.value(_decoded(bytes(value)), depth)
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return str(value)
        if isinstance(value, Mapping):
            return self._object(dict(value.items()), depth + 1)
        if isinstance(value, _ARRAYS) or hasattr(value, "__next__"):
            return self._array(self._items(value), depth + 1)
        raise NotJsonError(_refusal(value))

    def _items(self, values: Iterable[Any]) -> list[Any]:
        items = []
        for value in values:
            items.append(value)
            if self._nodes + len(items) > MAX_NODES:
                raise LimitExceededError("The expression makes too large a structure.")
        return items


def _text(text: str) -> str:
    if not text.isascii() and (match := _SURROGATE.search(text)):
        raise NotJsonError(
            f"a text in it has half of a surrogate pair (\\u{ord(match[0]):x}), which is not a character"
        )
    return text if type(text) is str else str.__str__(text)


def _number(number: float) -> float:
    if isinstance(number, int):
        if number.bit_length() > _MOST_BITS:
            raise NotJsonError(f"a number in it has more than {MOST_DIGITS} digits")
    elif not math.isfinite(number):
        raise NotJsonError(f"{number} is not a number in JSON")
    return number


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotJsonError(f"the bytes {_quoted(value)} are not text in UTF-8") from None


def _refusal(value: Any) -> str:
    name = getattr(value, "__name__", None)
    if not callable(value) or not isinstance(name, str):
        return f"a value of type {type(value).__name__} has no form in JSON"
    advice = f": to call it, write {name}()" if name.isidentifier() else ""
    return f"{name} is a {'type' if isinstance(value, type) else 'function'}, which has no form in JSON{advice}"


def _quoted(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number too long to be written
        text = f"a {type(value).__name__}"
    return printable(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
