"""A pack's configuration: the values an administrator gives, its schema's defaults, and which of them are secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.json_schema import SchemaError, draft4, iter_errors, matches, remote_reference, validator
from squall.core.params import has_secrets
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
            if matches(str(pattern), name):
                return entry
        except SchemaError:
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
    schema = draft4(whole(attributes))
    try:
        if (reference := remote_reference(schema)) is not None:
            raise SchemaError(f'"$ref" may only name a part of the schema itself, such as "#/…", not {reference!r}')
        validator(schema)
        errors = list(iter_errors(schema, with_defaults(values, attributes)))
    except (SchemaError, RecursionError) as error:
        raise InvalidError(f'The schema of the configuration of pack "{pack}" is wrong: {error}') from error
    for fault in errors:
        if isinstance(fault.instance, str) and ("{{" in fault.instance or "{%" in fault.instance):
            continue
        names = [str(name) for name in fault.absolute_path]
        if fault.validator == "required" and not names:
            names = [fault.message.split("'")[1]]
        hidden = fault.validator not in _NO_VALUE and names and has_secrets(attributes.get(names[0]))
        told = "the value does not fit the schema" if hidden else fault.message
        shown = ".".join(names)
        raise InvalidError(f'Failed validating attribute "{shown}" {where}: {told}')


_NO_VALUE = ("required", "additionalProperties")
"""What is told without the value."""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
