"""YAML from people, read safely: bounded in how deep it nests, and in what it becomes when its references are followed.

The C parser recurses on its own stack: text that nests a hundred thousand times would end the process.
"""

from __future__ import annotations

from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A safe loader, in C where there is one. Only for text that `check_depth` has passed."""

_DEEPEST = 200
_MOST_VALUES = 200_000
_OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


def load_yaml(text: str | bytes) -> Any:
    """The document in a text. Raises `yaml.YAMLError`, and `ValueError` for one that is too deep or grows too large."""
    check_depth(text)
    found = yaml.load(text, Loader=LOADER)  # noqa: S506 - it is a safe one
    if _weight(found, {}, set()) > _MOST_VALUES:
        raise ValueError(f"its *aliases make more than {_MOST_VALUES} values of it")
    return found


def check_depth(text: str | bytes) -> None:
    """Raises `ValueError` for text that nests more than 200 times, and `yaml.YAMLError`."""
    source = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    # No level is opened but by a bracket or further to the right in its line: most text needs no second look.
    brackets = source.count("[") + source.count("{")
    if brackets <= _DEEPEST // 2 and len(max(source.splitlines(), key=len, default="")) <= _DEEPEST // 2:
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, _OPENS) - isinstance(event, _CLOSES)
        if depth > _DEEPEST:
            raise ValueError(f"it nests more than {_DEEPEST} times")


def _weight(value: Any, known: dict[int, int], within: set[int]) -> int:
    """How many values there are with every reference followed. Raises `ValueError` for what holds itself."""
    if not isinstance(value, dict | list):
        return 1
    key = id(value)
    if key in within:
        raise ValueError("a value in it refers to itself")
    if key not in known:
        inner = value.values() if isinstance(value, dict) else value
        within.add(key)
        known[key] = 1 + sum(_weight(each, known, within) for each in inner)
        within.discard(key)
    return known[key]
