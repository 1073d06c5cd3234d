"""The value of `config_context` in a template: a pack's configuration that reports reads of its secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class ConfigContext(dict[str, Any]):
    """The values of a configuration. It calls `opened(secret)` for every secret that is read; `secrets` are the secrets
    as text."""

    def __init__(self, values: dict[str, Any], secrets: frozenset[str], opened: Callable[[Any], None]) -> None:
        super().__init__(values)
        self._secrets = secrets
        self._opened = opened

    def _read(self, value: Any) -> Any:
        if isinstance(value, dict):
            return ConfigContext(value, self._secrets, self._opened)
        for leaf in _leaves(value):
            if str(leaf) in self._secrets:
                self._opened(leaf)
        return value

    def __getitem__(self, name: str) -> Any:
        return self._read(super().__getitem__(name))

    def get(self, name: str, default: Any = None) -> Any:
        """Returns a value, or the default."""
        try:
            return self[name]
        except KeyError:
            return default

    def items(self) -> Any:
        """Returns names and values. Counts as a read of all values."""
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        """Returns all values. Counts as a read of all values."""
        return [self[name] for name in self]

    def copy(self) -> dict[str, Any]:
        """Returns names and values as a dict. Counts as a read of all values."""
        return dict(self.items())

    def __repr__(self) -> str:
        return repr(self.copy())

    __str__ = __repr__


def parts_of(context: ConfigContext) -> tuple[dict[str, Any], frozenset[str], Callable[[Any], None]]:
    """Returns the arguments that `context` was made of. No secret counts as read.

    It is no method: a template's `config_context.x` would give a method `x` instead of the value `x`.
    """
    return {name: dict.__getitem__(context, name) for name in context}, context._secrets, context._opened


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield value


def mentions_config(value: Any) -> bool:
    """Returns True if a text in a JSON value may use the configuration. If not, the caller need not load it."""
    if isinstance(value, str):
        return "config_context" in value
    if isinstance(value, dict):
        return any(mentions_config(item) for item in value.values())
    return isinstance(value, list) and any(mentions_config(item) for item in value)
