"""Filters on data: JSON, YAML, JSONPath. StackStorm's names, parameters and results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from squall.core.errors import SquallError
from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.limits import check_value
from squall.core.regex import compiled
from squall.core.safe_yaml import load_yaml

NONE_MARKER = "%*****__%NONE%__*****%"
"""The text that `use_none` writes for null: a parameter that renders to it is null."""

_CACHED = 256


def from_json_string(value: Any) -> Any:
    """Parses a text as JSON. Raises `ValueError`."""
    return json.loads(str(value))


def from_yaml_string(value: Any) -> Any:
    """Parses a text as YAML. Raises `ValueError`, also for a text that is too large."""
    try:
        return load_yaml(str(value))
    except yaml.YAMLError as error:
        raise ValueError(f"the text is not YAML: {error}") from error


def to_json_string(
    value: Any, indent: int | None = None, sort_keys: bool = False, separators: Any = (",", ": ")
) -> str:
    """Returns the value as JSON text."""
    check_value(value)
    options: dict[str, Any] = {"sort_keys": sort_keys}
    if indent is not None:
        options["indent"] = min(indent, 64)
    if separators is not None:
        options["separators"] = tuple(separators)
    return json.dumps(value, **options)


def to_yaml_string(value: Any, indent: int | None = None, allow_unicode: bool = True) -> str:
    """Returns the value as YAML text, in block style."""
    check_value(value)
    options: dict[str, Any] = {"default_flow_style": False, "allow_unicode": allow_unicode}
    if indent is not None:
        options["indent"] = indent
    text: str = yaml.safe_dump(value, **options)
    return text


def json_escape(value: Any) -> str:
    """Escapes a text for the inside of a JSON string."""
    return json.dumps(value).strip('"')


def to_complex(value: Any) -> str:
    """Returns the value as JSON text, so that its type survives the rendering."""
    check_value(value)
    return json.dumps(value)


def use_none(value: Any) -> Any:
    """Returns `NONE_MARKER` for null, else the value."""
    return NONE_MARKER if value is None else value


class JsonPaths:
    """The filter `jsonpath_query`, with a cache of parsed queries."""

    def __init__(self) -> None:
        self._parsed: dict[str, Any] = {}

    def query(self, value: Any, query: str) -> list[Any] | None:
        """Returns the matches of a JSONPath query in a value; None if there are none. Raises `ValueError`."""
        try:
            path = self._parsed.get(query)
            if path is None:
                if len(self._parsed) >= _CACHED:
                    self._parsed.clear()
                path = self._parsed[query] = _parsed_query(query)
            return [match.value for match in path.find(value)] or None
        except (SquallError, LimitExceededError, ValueError):
            raise
        except Exception as error:
            # The library raises errors of many kinds, some of them plain `Exception`.
            raise ValueError(f"the JSONPath query {query[:200]!r} fails: {error}") from error


def _parsed_query(query: str) -> Any:
    """Parses a JSONPath query. Its regular expressions run on our engine, because nothing can stop the library's."""
    # These imports take long, and few people use JSONPath: so they are not at the top.
    from jsonpath_ng.ext.filter import OPERATOR_MAP
    from jsonpath_ng.ext.parser import parse
    from jsonpath_ng.ext.string import Sub

    OPERATOR_MAP["=~"] = _matches
    parsed = parse(query)
    waiting: list[Any] = [parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Sub):
            node.regex = compiled(node.expr)  # type: ignore[assignment]
        waiting += node if isinstance(node, list | tuple) else getattr(node, "__dict__", {}).values()
    return parsed


def _matches(value: Any, pattern: Any) -> bool:
    return isinstance(value, str) and compiled(str(pattern)).search(value) is not None


def json_value(value: Any) -> Any:
    """Parses a text as JSON, as Orquesta's `json()` does; returns an object unchanged."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        raise TypeError("Given object is not typeof string.")
    return json.loads(value)
