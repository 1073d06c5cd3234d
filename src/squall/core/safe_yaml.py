"""Safe loading of YAML from users: bounds its nesting, and its size after its references are followed.

The C parser recurses on its own stack: a text with a hundred thousand levels would crash the process.
"""

from __future__ import annotations

from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A safe loader, in C if it is available. Only for text that has passed `check_depth`."""

_DEEPEST = 200
_MOST_VALUES = 200_000
_OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


def load_yaml(text: str | bytes) -> Any:
    """Loads the document in a text. Raises `yaml.YAMLError`, and `ValueError` for one that is too deep or too large."""
    check_depth(text)
    document = yaml.load(text, Loader=LOADER)  # noqa: S506 - it is a safe one
    if _weight(document, {}, set()) > _MOST_VALUES:
        raise ValueError(f"its *aliases expand to more than {_MOST_VALUES} values")
    return document


def check_depth(text: str | bytes) -> None:
    """Raises `ValueError` for a text with more than 200 levels, and `yaml.YAMLError`."""
    source = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    # Only a bracket, or a deeper indentation, opens a level: so most texts need no parse here.
    brackets = source.count("[") + source.count("{")
    if brackets <= _DEEPEST // 2 and len(max(source.splitlines(), key=len, default="")) <= _DEEPEST // 2:
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, _OPENS) - isinstance(event, _CLOSES)
        if depth > _DEEPEST:
            raise ValueError(f"it nests more than {_DEEPEST} times")


def _weight(value: Any, weights: dict[int, int], within: set[int]) -> int:
    """Returns the number of values with every reference followed. Raises `ValueError` for a value that contains
    itself."""
    if not isinstance(value, dict | list):
        return 1
    key = id(value)
    if key in within:
        raise ValueError("a value in it refers to itself")
    if key not in weights:
        inner = value.values() if isinstance(value, dict) else value
        within.add(key)
        weights[key] = 1 + sum(_weight(each, weights, within) for each in inner)
        within.discard(key)
    return weights[key]
