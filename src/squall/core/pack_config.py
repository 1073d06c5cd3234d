"""A pack's configuration: the values an administrator gives, its schema's defaults, and which of them are secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.params import complaint, has_secrets
from squall.core.secret import MASK, SEALED


class PackConfig(msgspec.Struct, frozen=True):
    """The values of one pack, the path of the file they come from, and the secret ones among them, as text."""

    values: dict[str, Any] = {}
    path: str = ""
    secrets: tuple[str, ...] = ()


def with_defaults(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
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


def inner_entry(schema: Any, name: str) -> Any:
    """The schema of a property of an object with this schema: its own, by a pattern, or that of all others."""
    if not isinstance(schema, dict):
        return None
    properties = schema.get("properties")
    if isinstance(properties, dict) and name in properties:
        return properties[name]
    patterns = schema.get("patternProperties")
    for pattern, entry in patterns.items() if isinstance(patterns, dict) else ():
        try:
            if re.search(str(pattern), name):
                return entry
        except re.error:
            continue
    return schema.get("additionalProperties")


def mapped(
    value: Any, schema: Any, secret: Callable[[Any], Any], other: Callable[[Any], Any] = lambda value: value
) -> Any:
    """The value with `secret` of each part that the schema marks so, and `other` of each other leaf."""
    if isinstance(schema, dict) and schema.get("secret") and value is not None:
        return secret(value)
    if isinstance(value, dict) and value.keys() != {SEALED}:
        return {key: mapped(item, inner_entry(schema, key), secret, other) for key, item in value.items()}
    if isinstance(value, list):
        items = schema.get("items") if isinstance(schema, dict) else None
        return [mapped(item, items, secret, other) for item in value]
    return other(value)


def whole(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of all values together, of what has one for each."""
    return {"type": "object", "properties": dict(attributes)}


def secret_values(values: Any, attributes: Mapping[str, Any]) -> Iterator[str]:
    """The values that the schema marks as secret, as text; all that is in a secret object or list."""
    found: list[Any] = []
    mapped(values, whole(attributes), found.append)
    for value in found:
        yield from _texts(value)


def mask_values(values: dict[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with asterisks for those that the schema marks as secret."""
    masked: dict[str, Any] = mapped(values, whole(attributes), lambda _: MASK)
    return masked


def check_values(pack: str, path: str, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Raises `InvalidError` that names the value which is not what the schema says, in StackStorm's words.

    What the schema does not know may be there; a template is only known when it is rendered.
    """
    where = f'in config for pack "{pack}" ({path})'
    for name, schema in attributes.items():
        if not isinstance(schema, dict):
            raise InvalidError(f'The schema of attribute "{name}" {where} is no mapping')
        if values.get(name) is None:
            if schema.get("required") is True and "default" not in schema:
                raise InvalidError(f"Failed validating attribute \"{name}\" {where}: '{name}' is a required property")
            continue
        _check(values[name], schema, name, where)


def _check(value: Any, schema: Any, name: str, where: str) -> None:
    """Nested objects property by property, so that what is wrong has its whole name."""
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        return
    flat = schema
    if isinstance(value, dict) and isinstance(schema, dict):
        for key, item in value.items():
            _check(item, inner_entry(schema, key), f"{name}.{key}", where)
        inner = schema.get("properties")
        for key, entry in inner.items() if isinstance(inner, dict) else ():
            if isinstance(entry, dict) and entry.get("required") is True and value.get(key) is None:
                raise InvalidError(f"Failed validating attribute \"{name}\" {where}: '{key}' is a required property")
        flat = {key: item for key, item in schema.items() if key not in ("properties", "patternProperties")}
        unknown = [key for key in value if inner_entry(schema, key) is False]
        if unknown:
            raise InvalidError(f'Failed validating attribute "{name}" {where}: "{unknown[0]}" is not known')
        flat.pop("additionalProperties", None)
    if not isinstance(flat, dict):
        return
    told = complaint(flat, value)
    if told is not None:
        shown = "the value does not fit the schema" if has_secrets(schema) else told
        raise InvalidError(f'Failed validating attribute "{name}" {where}: {shown}')


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
