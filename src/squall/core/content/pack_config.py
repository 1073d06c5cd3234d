"""A pack's configuration: the values an administrator gives, its schema's defaults, and which of them are secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.schema import walk as schema_walk
from squall.core.schema.json_schema import SchemaError, draft4, iter_errors, remote_reference, validator
from squall.core.schema.walk import mapped, mask_secrets, place_of, texts_in


class PackConfig(msgspec.Struct, frozen=True):
    """The values of one pack, the path of the file they come from, and the secret ones among them, as text."""

    values: dict[str, Any] = {}
    path: str = ""
    secrets: tuple[str, ...] = ()


def with_defaults(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the schema's defaults where there are none, also inside of objects and arrays."""
    filled: dict[str, Any] = schema_walk.with_defaults(dict(values), place_of(whole(schema)), nulls=True, creates=True)
    return filled


def whole(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of all values together, of what has one for each."""
    return {"type": "object", "properties": dict(attributes)}


def secret_values(values: Any, attributes: Mapping[str, Any]) -> Iterator[str]:
    """The values that the schema marks as secret, as text; all that is in a secret object or list."""
    secrets: list[Any] = []
    mapped(values, place_of(whole(attributes)), secrets.append)
    yield from texts_in(secrets)


def mask_values(values: dict[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with asterisks for those that the schema marks as secret."""
    masked: dict[str, Any] = mask_secrets(values, place_of(whole(attributes)))
    return masked


def check_values(pack: str, path: str, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    """Raises `InvalidError` that names the value which is not what the schema says, in StackStorm's words.

    What the schema does not know may be there; a template is only known when it is rendered.
    """
    where = f'in config for pack "{pack}" ({path})'
    schema = draft4(whole(attributes))
    place = place_of(whole(attributes))
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
        hidden = fault.validator not in _NO_VALUE and names and place.property(names[0]).has_secrets
        told = "the value does not fit the schema" if hidden else fault.message
        shown = ".".join(names)
        raise InvalidError(f'Failed validating attribute "{shown}" {where}: {told}')


_NO_VALUE = ("required", "additionalProperties")
"""What is told without the value."""
