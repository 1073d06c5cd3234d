"""JSON as StackStorm's encoder writes it: what it takes beside plain values, and what it refuses.

Standard library only, Python 3.8.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import uuid

_LEAST, _MOST = -(1 << 63), (1 << 64) - 1
_DEEPEST = 250


def to_json(value):
    """The value as JSON bytes. Raises `TypeError` for what StackStorm's encoder refuses: objects, sets, bytes, names of
    members that are no strings, integers of more than 64 bits, text that is no Unicode, what is nested too deep."""
    try:
        plain = _plain(value, 0)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), check_circular=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError) as error:
        raise TypeError(str(error)) from error


def _plain(value, depth):
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return value
    if kind is int:
        if not _LEAST <= value <= _MOST:
            raise TypeError("Integer exceeds 64-bit range")
        return value
    if kind is float:
        return value if value - value == 0 else None
    if depth > _DEEPEST:
        raise TypeError("Recursion limit reached")
    if isinstance(value, dict):
        return _members(value, depth)
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    return _special(value, depth)


def _members(value, depth):
    for name in value:
        if not isinstance(name, str):
            raise TypeError("Dict key must be str")
    return {str.__str__(name): _plain(item, depth + 1) for name, item in value.items()}


def _special(value, depth):
    """The types beside JSON's own."""
    if isinstance(value, enum.Enum):
        return _plain(value.value, depth + 1)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _plain(int(value), depth)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: _plain(getattr(value, name), depth + 1) for name in fields}
    raise TypeError("Type is not JSON serializable: %s" % type(value).__name__)
