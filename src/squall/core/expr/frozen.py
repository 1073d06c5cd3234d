"""Hashable values for YAQL, converted lazily: only the parts that an expression reads are converted, and only once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.limits import MAX_NODES, MAX_SIZE


class FrozenMapping(Mapping[Any, Any]):
    """An immutable mapping around a mapping that nobody may change (`raw`)."""

    __slots__ = ("_hash", "_values", "raw")

    def __init__(self, raw: Mapping[Any, Any]) -> None:
        self.raw = raw
        self._values: dict[Any, Any] = {}
        self._hash: int | None = None

    def __getitem__(self, key: Any) -> Any:
        if key not in self._values:
            self._values[key] = freeze(self.raw[key])
        return self._values[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __contains__(self, key: object) -> bool:
        return key in self.raw

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMapping):
            return self.raw == other.raw
        return dict(self.items()) == dict(other.items()) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = 0
            for pair in self.items():
                self._hash ^= hash(pair)
        return self._hash

    def __repr__(self) -> str:
        return repr(self.raw)


class FrozenList(tuple[Any, ...]):
    """An immutable list, and its original list (`raw`)."""

    raw: list[Any]

    def __repr__(self) -> str:
        return repr(self.raw)

    __str__ = __repr__


def freeze(value: Any) -> Any:
    """Returns the value as expressions in YAQL see it."""
    if isinstance(value, dict):
        return FrozenMapping(value)
    if isinstance(value, list | tuple):
        items = FrozenList(freeze(item) for item in value)
        items.raw = list(value)
        return items
    if isinstance(value, set):
        return frozenset(freeze(item) for item in value)
    return value


class _Thawing:
    """Turns a value of YAQL into plain JSON values, and counts them."""

    def __init__(self) -> None:
        self._nodes = 0
        self._size = 0

    def value(self, value: Any) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise LimitExceededError("The expression makes too large a structure.")
        if isinstance(value, str):
            self._size += len(value)
            if self._size > MAX_SIZE:
                raise LimitExceededError(f"The expression makes a value of more than {MAX_SIZE >> 20} MiB.")
            return value
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, FrozenMapping | FrozenList):
            return value.raw
        if isinstance(value, Mapping):
            # A list can only be a key if it stays frozen.
            return {
                key if isinstance(key, FrozenMapping | tuple) else self.value(key): self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, date | datetime | timedelta):
            return str(value)
        if hasattr(value, "__iter__") and not isinstance(value, bytes):
            return [self.value(item) for item in value]
        return value


def thaw(value: Any) -> Any:
    """Returns the plain value: dicts, lists, texts, numbers. Other values, such as bytes, stay as they are.

    Raises `LimitExceededError` if the value is too large.
    """
    return _Thawing().value(value)
