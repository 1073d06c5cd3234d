"""The configuration of a pack: the administrator's values, the defaults of its schema, and its secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.expr.jinja import Jinja
from squall.core.schema import walk as schema_walk
from squall.core.schema.json_schema import SchemaError, all_errors, draft4, remote_reference
from squall.core.schema.walk import Place, mapped, mask_secrets, place_of, texts_in, without_nulls


class PackConfig(msgspec.Struct, frozen=True):
    """The values of one pack, the path of their file, and their secrets as text. `templates` are the values that are
    templates in the file."""

    values: dict[str, Any] = {}
    path: str = ""
    secrets: tuple[str, ...] = ()
    templates: frozenset[str] = frozenset()


def with_defaults(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values with the schema's defaults for missing ones, also inside of objects and arrays."""
    filled: dict[str, Any] = schema_walk.with_defaults(dict(values), place_of(whole(schema)), nulls=True, creates=True)
    return filled


def whole(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the schema of all values together, from the schemas of the single values."""
    return {"type": "object", "properties": dict(attributes)}


def secret_values(values: Any, attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yields the values that the schema marks as secret, as text, and all values in a secret object or list."""
    secrets: list[Any] = []
    mapped(values, place_of(whole(attributes)), secrets.append)
    yield from texts_in(secrets)


def mask_values(values: dict[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values with asterisks for those that the schema marks as secret."""
    masked: dict[str, Any] = mask_secrets(values, place_of(whole(attributes)))
    return masked


def is_template(value: Any) -> bool:
    """Returns True if a value of a configuration is rendered before an action gets it."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def templates_in(values: Any) -> Iterator[str]:
    """Yields the templates in values, at any depth of objects and arrays."""
    for text in texts_in(values):
        if is_template(text):
            yield text


def check_values(pack: str, path: str, values: Mapping[str, Any], attributes: Mapping[str, Any], jinja: Jinja) -> None:
    """Checks the values of a configuration. Raises `InvalidError`, in StackStorm's words with the name of the value, if
    a value does not fit the schema, or a template cannot be rendered. `jinja` parses templates.

    Values that the schema does not mention are allowed, and so is null for an optional value. Defaults and the values
    of templates, which are unknown before rendering, are not checked.
    """
    _check_templates(pack, path, values, attributes, jinja)
    location = f'in config for pack "{pack}" ({path})'
    schema = draft4(whole(attributes))
    place = place_of(whole(attributes))
    try:
        if (reference := remote_reference(schema)) is not None:
            raise SchemaError(f'"$ref" may only name a part of the schema itself, such as "#/…", not {reference!r}')
        errors = all_errors(schema, without_nulls(with_defaults(values, attributes), place))
    except (SchemaError, RecursionError) as error:
        raise InvalidError(f'The schema of the configuration of pack "{pack}" is wrong: {error}') from error
    for fault in errors:
        if is_template(fault.instance) or _is_default(values, fault):
            continue
        names = [str(name) for name in fault.absolute_path]
        if fault.validator == "required" and not names:
            names = [fault.message.split("'")[1]]
        hidden = fault.validator not in _NO_VALUE and names and place.property(names[0]).has_secrets
        message = "the value does not fit the schema" if hidden else fault.message
        raise InvalidError(f'Failed validating attribute "{".".join(names)}" {location}: {message}')


_NO_VALUE = ("required", "additionalProperties")
"""The keywords whose messages do not have the value."""


def _check_templates(
    pack: str, path: str, values: Mapping[str, Any], attributes: Mapping[str, Any], jinja: Jinja
) -> None:
    for names, text, is_secret in _templates(values, place_of(whole(attributes)), ()):
        reason = template_fault(text, jinja)
        if reason is not None:
            # A secret value with braces may be an ordinary text, so the message must not have it.
            message = "the template is wrong" if is_secret else f'the template "{text}" is wrong: {reason}'
            name = ".".join(names)
            raise InvalidError(f'Failed validating attribute "{name}" in config for pack "{pack}" ({path}): {message}')


def template_fault(text: str, jinja: Jinja) -> str | None:
    """Returns the reason why a template of a configuration cannot be rendered; None if it can be."""
    try:
        jinja.check(text)
    except InvalidError as error:
        return f"it cannot be parsed: {error}"
    unknown = sorted(jinja.names(text) - {"st2kv"})
    return f'it uses "{unknown[0]}", but a configuration may only use st2kv' if unknown else None


def _is_default(values: Any, fault: Any) -> bool:
    """Returns True if a fault is in a default and not in one of `values`."""
    for step in fault.absolute_path:
        if isinstance(values, dict):
            values = {str(name): value for name, value in values.items()}
            if str(step) not in values:
                return True
            values = values[str(step)]
        elif isinstance(values, list) and isinstance(step, int) and step < len(values):
            values = values[step]
        else:
            return True
    return values is None and fault.instance is not None


def _templates(value: Any, place: Place, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yields the path of each template, its text, and whether the schema marks it as secret."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _templates(item, place.property(name), (*names, str(name)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _templates(item, place.item(index), (*names, str(index)))
    elif is_template(value):
        yield names, value, place.secret
