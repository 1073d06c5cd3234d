"""A pack's configuration: the values an administrator gives, its schema's defaults, and which of them are secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from squall.core.secret import MASK


class PackConfig(msgspec.Struct, frozen=True):
    """The values of one pack, the path of the file they come from, and the secret ones among them, as text."""

    values: dict[str, Any] = {}
    path: str = ""
    secrets: tuple[str, ...] = ()


def with_defaults(values: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The values with the schema's defaults where there are none, in nested objects too."""
    found = dict(values)
    for name, entry in schema.items():
        if not isinstance(entry, dict):
            continue
        if name not in found and "default" in entry:
            found[name] = entry["default"]
        properties = entry.get("properties")
        if isinstance(properties, dict) and isinstance(found.get(name, {}), dict):
            inner = with_defaults(found.get(name, {}), properties)
            if inner or name in found:
                found[name] = inner
    return found


def secret_values(values: Any, schema: Any) -> Iterator[str]:
    """The values that the schema marks as secret, as text; all that is in a secret object or list."""
    if not isinstance(values, dict) or not isinstance(schema, dict):
        return
    for name, value in values.items():
        entry = schema.get(name)
        if not isinstance(entry, dict):
            continue
        if entry.get("secret"):
            yield from _texts(value)
            continue
        yield from secret_values(value, entry.get("properties"))
        items = entry.get("items")
        if isinstance(value, list) and isinstance(items, dict):
            for item in value:
                yield from secret_values({"item": item}, {"item": items})


def mask_values(values: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The values with asterisks for those that the schema marks as secret."""
    return {name: _masked(value, schema.get(name)) for name, value in values.items()}


def _masked(value: Any, entry: Any) -> Any:
    if not isinstance(entry, dict):
        return value
    if entry.get("secret"):
        return MASK
    if isinstance(value, dict) and isinstance(entry.get("properties"), dict):
        return mask_values(value, entry["properties"])
    if isinstance(value, list):
        return [_masked(item, entry.get("items")) for item in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
