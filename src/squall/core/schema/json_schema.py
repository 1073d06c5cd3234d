"""JSON schemas that pack authors write: validation with bounded cost, and errors in StackStorm's words.

A `$ref` leads to a place in the same schema, never to a file or an address. Patterns run on an engine whose work is
bounded, also while an error message is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

from squall.core.schema.expansion import ExpansionError, check_references, check_work, counted_patterns
from squall.core.schema.wording import CostError, errors_of, worst_error

_NOT_SCHEMA = frozenset({"secret", "position", "immutable", "default"})
_SCHEMAS_BY_NAME = ("patternProperties", "definitions", "$defs", "dependencies")
_SCHEMAS = ("items", "additionalItems", "additionalProperties", "anyOf", "oneOf", "allOf", "not")
_VALUES = frozenset({"default", "enum", "const", "example", "examples"})
_BACKTRACKS = 20_000
_PATTERN_BYTES = 8 << 20
"""The memory that the compiled patterns of one schema may take together: they take time in proportion to it."""

_LEAST_PATTERN_BYTES = 64 << 10
_LARGEST_WORDED = 256 << 10
_LONGEST_MESSAGE = 2000
_SMALL = 4 << 10
_MOST_STEPS = 200_000


class SchemaError(ValueError):
    """A schema is wrong. The message is one line."""


class Validator:
    """A schema of draft 4, ready to check values. If its references make it large, each value is weighed first."""

    __slots__ = ("_expansion", "_plain", "_schema")

    def __init__(self, plain: Any) -> None:
        """Builds the validator. Raises `SchemaError`."""
        try:
            self._expansion = check_references(plain)
            self._plain = plain if self._expansion.needs_care else None
            most = max(_LEAST_PATTERN_BYTES, _PATTERN_BYTES // max(1, counted_patterns(plain)))
            options = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS, size_limit=most)
            self._schema = jsonschema_rs.Draft4Validator(plain, offline=True, pattern_options=options)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            raise SchemaError(str(error).partition("\n")[0]) from None

    def is_valid(self, value: Any) -> bool:
        """Checks whether a value fits the schema. Raises `SchemaError` if that takes too long, and `ValueError` for a
        value that is not JSON."""
        self._weigh(value)
        return self._schema.is_valid(value)

    def iter_errors(self, value: Any) -> Iterator[jsonschema_rs.ValidationError]:
        """Yields the errors of a value. Raises as `is_valid` does."""
        self._weigh(value)
        return iter(self._schema.iter_errors(value))

    def _weigh(self, value: Any) -> None:
        if self._plain is None:
            return
        try:
            check_work(self._plain, self._expansion, value)
        except ExpansionError as error:
            raise SchemaError(str(error)) from None


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


def validator(plain: Any) -> Validator:
    """Returns the validator of a schema of draft 4. Raises `SchemaError`."""
    return _cached(plain, _as_it_is)


def parameter_validator(schema: Any) -> Validator:
    """Returns the validator of a schema in StackStorm's form. Raises `SchemaError`."""
    return _cached(schema, draft4)


def _as_it_is(schema: Any) -> Any:
    return schema


def _cached(schema: Any, reads: Callable[[Any], Any]) -> Validator:
    """Returns a validator, from the cache if the schema is small: each run of an action uses the same few schemas."""
    try:
        text = msgspec.json.encode(schema)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return Validator(reads(schema))
    return _of_text(text, reads) if len(text) <= _SMALL else Validator(reads(schema))


@lru_cache(256)
def _of_text(text: bytes, reads: Callable[[Any], Any]) -> Validator:
    return Validator(reads(msgspec.json.decode(text)))


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
def _of_pattern(pattern: str) -> Validator:
    return validator({"pattern": pattern})


def matches(pattern: str, text: str) -> bool:
    """Checks whether a pattern of a schema matches somewhere in `text`. Raises `SchemaError` for a wrong pattern."""
    return _of_pattern(pattern).is_valid(text)
