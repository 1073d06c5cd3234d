"""Values as YAQL needs them, hashable, made lazily: only what an expression looks at is converted, and only once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.limits import MAX_NODES, MAX_SIZE


class FrozenMapping(Mapping[Any, Any]):
    """A mapping that never changes, around one that must not be changed (`raw`)."""

    __slots__ = ("_made", "_seen", "raw")

    def __init__(self, raw: Mapping[Any, Any]) -> None:
        self.raw = raw
        self._made: dict[Any, Any] = {}
        self._seen: int | None = None

    def __getitem__(self, key: Any) -> Any:
        if key not in self._made:
            self._made[key] = freeze(self.raw[key])
        return self._made[key]

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
        if self._seen is None:
            self._seen = 0
            for pair in self.items():
                self._seen ^= hash(pair)
        return self._seen

    def __repr__(self) -> str:
        return repr(self.raw)


class FrozenList(tuple[Any, ...]):
    """A list that never changes, with the list it was made from (`raw`)."""

    raw: list[Any]

    def __repr__(self) -> str:
        return repr(self.raw)

    __str__ = __repr__


def freeze(value: Any) -> Any:
    """The value as expressions in YAQL see it."""
    if isinstance(value, dict):
        return FrozenMapping(value)
    if isinstance(value, list | tuple):
        made = FrozenList(freeze(item) for item in value)
        made.raw = list(value)
        return made
    if isinstance(value, set):
        return frozenset(freeze(item) for item in value)
    return value


class _Thawing:
    """Turns what YAQL gives into plain JSON values, and counts what it makes."""

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
            # A list cannot be a key but as it is, frozen.
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
    """The plain value: dicts, lists, texts, numbers; what is nothing of these, such as bytes, stays as it is.

    Raises `LimitExceededError` when it is too large.
    """
    return _Thawing().value(value)
