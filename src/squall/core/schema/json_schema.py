"""JSON schemas that pack authors write: validation with bounded cost, and errors in StackStorm's words.

A `$ref` leads to a place in the same schema, never to a file or an address. Patterns run on an engine whose work is
bounded, also while an error message is built.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

from squall.core.schema.wording import CostError, errors_of, worst_error

_NOT_SCHEMA = frozenset({"secret", "position", "immutable", "default"})
_SCHEMAS_BY_NAME = ("patternProperties", "definitions", "$defs", "dependencies")
_SCHEMAS = ("items", "additionalItems", "additionalProperties", "anyOf", "oneOf", "allOf", "not")
_VALUES = frozenset({"default", "enum", "const", "example", "examples"})
_PATTERN_OPTIONS = jsonschema_rs.FancyRegexOptions(backtrack_limit=20_000)
_LARGEST_WORDED = 256 << 10
_LONGEST_MESSAGE = 2000
_SMALL = 4 << 10
_MOST_STEPS = 200_000


class SchemaError(ValueError):
    """A schema is wrong. The message is one line."""


def draft4(schema: Any) -> Any:
    """Returns the JSON schema of draft 4 for StackStorm's form, which marks required properties one by one."""
    if isinstance(schema, list):
        return [draft4(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: value for key, value in schema.items() if key not in _NOT_SCHEMA}
    if isinstance(plain.get("required"), bool):
        del plain["required"]
    properties = plain.get("properties")
    if isinstance(properties, dict):
        required = [key for key, item in properties.items() if _is_needed(item)]
        plain["properties"] = {key: draft4(item) for key, item in properties.items()}
        if required:
            plain["required"] = required
    for key in _SCHEMAS_BY_NAME:
        if isinstance(plain.get(key), dict):
            plain[key] = {name: draft4(item) for name, item in plain[key].items()}
    for key in _SCHEMAS:
        if key in plain:
            plain[key] = draft4(plain[key])
    return plain


def _is_needed(schema: Any) -> bool:
    """Checks whether a property is required. A required property with a default of null may be left out."""
    if not isinstance(schema, dict) or schema.get("required") is not True:
        return False
    return "default" not in schema or schema["default"] is not None


def remote_reference(schema: Any) -> str | None:
    """Returns the first `$ref` in a schema that leads out of it, or None. Squall refuses such a schema."""
    waiting = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            reference = item.get("$ref")
            if isinstance(reference, str) and not reference.startswith("#"):
                return reference
            waiting += [value for key, value in item.items() if key not in _VALUES]
        elif isinstance(item, list):
            waiting += item
    return None


def validator(plain: Any) -> jsonschema_rs.Draft4Validator:
    """Returns the validator of a schema of draft 4. Raises `SchemaError`."""
    return _cached(plain, _as_it_is)


def parameter_validator(schema: Any) -> jsonschema_rs.Draft4Validator:
    """Returns the validator of a schema in StackStorm's form. Raises `SchemaError`."""
    return _cached(schema, draft4)


def _as_it_is(schema: Any) -> Any:
    return schema


def _cached(schema: Any, reads: Callable[[Any], Any]) -> jsonschema_rs.Draft4Validator:
    """Returns a validator, from the cache if the schema is small: each run of an action uses the same few schemas."""
    try:
        text = msgspec.json.encode(schema)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return _built(reads(schema))
    return _of_text(text, reads) if len(text) <= _SMALL else _built(reads(schema))


@lru_cache(256)
def _of_text(text: bytes, reads: Callable[[Any], Any]) -> jsonschema_rs.Draft4Validator:
    return _built(reads(msgspec.json.decode(text)))


def _built(plain: Any) -> jsonschema_rs.Draft4Validator:
    try:
        return jsonschema_rs.Draft4Validator(plain, offline=True, pattern_options=_PATTERN_OPTIONS)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise SchemaError(str(error).partition("\n")[0]) from None


def complaint(plain: Any, value: Any, hidden: bool = False) -> str | None:
    """Validates `value`. Returns the error in StackStorm's words; None if the value is valid.

    Does not quote a `hidden` value. Raises `SchemaError`, and `ValueError` for a value that is not JSON.
    """
    return None if validator(plain).is_valid(value) else wording(plain, value, hidden)


def wording(plain: Any, value: Any, hidden: bool = False) -> str:
    """Returns the error of an invalid `value` in StackStorm's words; a general message if finding the words costs too
    much.

    Does not quote a `hidden` value.
    """
    message: str | None = None
    if len(msgspec.json.encode(value)) <= _LARGEST_WORDED:
        error = worst_error(plain, value, matches)
        quotes = error is not None and error.validator not in ("required", "additionalProperties")
        message = error.message if error is not None and not (hidden and quotes) else None
    if message is None or len(message) > _LONGEST_MESSAGE:
        return "the value does not fit its schema"
    return message


def all_errors(plain: Any, value: Any) -> list[Any]:
    """Returns all errors of `value`, in StackStorm's words; an empty list if it is valid. Raises `SchemaError`, also if
    finding all of them costs too much."""
    if validator(plain).is_valid(value):
        return []
    try:
        return list(errors_of(plain, value, matches, _MOST_STEPS))
    except CostError as error:
        raise SchemaError(str(error)) from None


@lru_cache(512)
def _of_pattern(pattern: str) -> jsonschema_rs.Draft4Validator:
    return validator({"pattern": pattern})


def matches(pattern: str, text: str) -> bool:
    """Checks whether a pattern of a schema matches somewhere in `text`. Raises `SchemaError` for a wrong pattern."""
    return _of_pattern(pattern).is_valid(text)
