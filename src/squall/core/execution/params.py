"""Parameters of an execution: rendered, cast to their declared types, checked against the schema.

As in StackStorm there are two steps. When an execution is requested, the caller's values are rendered, cast, checked
and stored. When the execution runs, the defaults of the other parameters are rendered too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from squall.core.content.keyvalue import KeyNames
from squall.core.content.returned import given_parameter, has_mask
from squall.core.errors import InvalidError
from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.filters.data import NONE_MARKER
from squall.core.expr.jinja import Jinja
from squall.core.expr.json_value import NotJsonError, json_value
from squall.core.schema.json_schema import SchemaError, draft4, parameter_validator, wording
from squall.core.schema.literals import LiteralError, check_nesting, read_integer, read_literal, read_number
from squall.core.schema.taint import Taint
from squall.core.schema.walk import has_secrets, place_of, texts_in, with_defaults, without_nulls

_TRUE = frozenset({"true", "1", "yes", "y", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "off"})
_ADVICE = {
    "integer": "a whole number, such as 5",
    "number": "a number, such as 1.5",
    "boolean": "true or false",
    "array": 'JSON, such as ["a", "b"]',
    "object": 'JSON, such as {"key": "value"}',
}
"""Advice for writing a value of each type as text."""
_QUOTED = 80
"""The most characters of a wrong text that a message quotes."""


def check_depths(parameters: Mapping[str, Any]) -> None:
    """Raises `InvalidError` with the parameter's name for a value that nests too deep to walk."""
    for name, value in parameters.items():
        try:
            check_nesting(value)
        except LiteralError as error:
            raise InvalidError(f'Parameter "{name}": {error}') from error


def bind_request(
    schemas: Mapping[str, Any],
    requested: Mapping[str, Any],
    names: Mapping[str, Any],
    jinja: Jinja,
    plain: Collection[str] = (),
    taint: Taint | None = None,
) -> dict[str, Any]:
    """Returns the caller's values, rendered and cast. Checks them together with the defaults of the other parameters.

    `********` for a secret means its default, if it has one.

    The values of `plain` parameters are not rendered: they have been rendered before. `taint` learns which parameters
    contain secrets.

    `schemas` are the merged schemas of action and runner by parameter, `names` the values for templates besides the
    parameters. Raises `InvalidError` with the parameter's name.
    """
    unknown = [name for name in requested if name not in schemas]
    if unknown:
        names_text = ", ".join(repr(name) for name in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise InvalidError(f"Additional properties are not allowed ({names_text} {verb} unexpected)")
    requested = _without_masks(schemas, requested, plain)
    immutable = [name for name in requested if schemas[name].get("immutable")]
    if immutable:
        raise InvalidError(f"Override of immutable parameter(s) {immutable} is unsupported.")
    values = _Rendering(schemas, requested, names, jinja, plain, taint).all()
    _check(schemas, _filled(schemas, values), taint)
    return {name: values[name] for name in requested}


def _without_masks(schemas: Mapping[str, Any], requested: Mapping[str, Any], plain: Collection[str]) -> dict[str, Any]:
    """Returns the caller's values, with secret defaults in place of the asterisks that clients see for them."""
    values: dict[str, Any] = {}
    for name, value in requested.items():
        has_value = True
        if name not in plain and has_mask(value):
            has_value, value = given_parameter(value, schemas[name], place_of(schemas[name]))
        if has_value:
            values[name] = value
    return values


def bind_run(
    schemas: Mapping[str, Any],
    stored: Mapping[str, Any],
    names: Mapping[str, Any],
    jinja: Jinja,
    taint: Taint | None = None,
) -> dict[str, Any]:
    """Returns every parameter's value for the run: the `stored` values, and the defaults of the others, rendered and
    cast. Values that are missing inside of objects get their defaults.

    Raises `InvalidError` with the parameter's name.
    """
    values = _filled(schemas, _Rendering(schemas, stored, names, jinja, stored, taint).all())
    _check(schemas, values, taint)
    return values


def _filled(schemas: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: with_inner_defaults(value, schemas[name]) for name, value in values.items()}


def with_inner_defaults(value: Any, schema: Any) -> Any:
    """Returns `value` with the defaults of the properties that it lacks, at any depth of objects and arrays."""
    return with_defaults(value, place_of(schema), nulls=False, creates=False)


class _Rendering:
    """Renders parameters in the order of their dependencies."""

    def __init__(
        self,
        schemas: Mapping[str, Any],
        requested: Mapping[str, Any],
        names: Mapping[str, Any],
        jinja: Jinja,
        plain: Collection[str],
        taint: Taint | None,
    ) -> None:
        self._taint = taint or Taint()
        self._schemas = schemas
        self._requested = requested
        self._names = names
        self._jinja = jinja
        self._plain = plain
        self._values: dict[str, Any] = {}
        self._rendering: list[str] = []

    def all(self) -> dict[str, Any]:
        """Returns every parameter that has a value."""
        for name, schema in self._schemas.items():
            if name in self._requested or "default" in schema:
                self._value(name)
        return {name: self._values[name] for name in self._schemas if name in self._values}

    def _value(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if name in self._rendering:
            cycle = ", ".join(self._rendering[self._rendering.index(name) :])
            raise InvalidError(f"Cyclic dependency found in the following variables: {cycle}")
        schema = self._schemas[name]
        raw = self._requested[name] if name in self._requested else schema.get("default")
        self._rendering.append(name)
        if name not in self._plain:
            raw = self._rendered(name, raw, self._jinja.render)
        self._rendering.pop()
        if self._taint.of(name):
            schema = {**schema, "secret": True}
        self._values[name] = cast_value(name, raw, schema)
        return self._values[name]

    def _rendered(self, name: str, value: Any, render: Callable[[str, Mapping[str, Any]], Any]) -> Any:
        """Renders a parameter's text to text. In a list or object, a single expression keeps its type."""
        if isinstance(value, str):
            needed = self._jinja.names(value)
            mark = self._taint.mark()
            try:
                values = {key: self._name(key, name) for key in needed}
                mark = self._taint.mark()
                rendered = _as_json(render(value, values))
                self._taint.since(name, mark)
                return rendered
            except _UnsatisfiedError as error:
                raise InvalidError(f'Dependency unsatisfied in variable "{error.args[0]}"') from None
            except InvalidError as error:
                if str(error).startswith(("Dependency", "Cyclic", "Failed", "Parameter")):
                    raise
                if self._taint.of(name) or self._taint.mark() > mark:
                    # The engine's text may quote the value.
                    raise InvalidError(f'Failed to render parameter "{name}" from a secret value.') from None
                raise InvalidError(f'Failed to render parameter "{name}": {error}') from error
        if isinstance(value, dict):
            return {key: self._rendered(name, item, self._jinja.value) for key, item in value.items()}
        if isinstance(value, list):
            return [self._rendered(name, item, self._jinja.value) for item in value]
        return value

    def _name(self, name: str, user: str) -> Any:
        """Returns the value of `name` in a template of the parameter `user`."""
        if name in self._schemas:
            value = self._value(name) if name in self._requested or "default" in self._schemas[name] else None
            self._taint.inherit(user, name, value, self._schemas[name])
            return value
        if name in self._names:
            return self._names[name]
        raise _UnsatisfiedError(name)


class _UnsatisfiedError(Exception):
    """A template uses a name that nothing provides."""


def cast_value(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    """Casts `value` to the type of its schema, as StackStorm does: text to numbers, booleans, arrays, objects.

    Raises `InvalidError` with the parameter's name.
    """
    declared = schema.get("type")
    if isinstance(value, str) and value == NONE_MARKER:
        return None
    if value is None or not isinstance(declared, str):
        return value
    try:
        if declared == "string":
            return _cast_string(value)
        if isinstance(value, str) and declared in _ADVICE:
            return _cast_text(value, declared)
    except (ValueError, LimitExceededError) as error:
        hidden = has_secrets(schema)
        message = f"the value is not of type {declared!r}" if hidden else error
        raise InvalidError(f'Parameter "{name}": {message}') from (None if hidden else error)
    return value


def _cast_string(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f'Value "{value}" must either be a string or None. Got "{type(value).__name__}".')
    return value


def _cast_text(text: str, declared: str) -> Any:
    """Reads a value of the type `declared` from `text`. Raises `ValueError` with a text for the user."""
    quoted = repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")
    try:
        if declared == "boolean":
            return _cast_boolean(text)
        if declared == "integer":
            return read_integer(text)
        return read_number(text) if declared == "number" else read_literal(text)
    except LiteralError as error:
        raise ValueError(f"{quoted} is not of type {declared!r}: {error}") from None
    except ValueError:
        raise ValueError(f"{quoted} is not of type {declared!r}; use {_ADVICE[declared]}") from None


def _cast_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError("not a boolean")


def _as_json(value: Any) -> Any:
    """Turns a template's value into JSON for a parameter. Raises `InvalidError`."""
    try:
        return json_value(str(value) if isinstance(value, KeyNames) else value)
    except (NotJsonError, LimitExceededError) as error:
        raise InvalidError(str(error)) from None


def _check(schemas: Mapping[str, Any], values: Mapping[str, Any], taint: Taint | None) -> None:
    for name, schema in schemas.items():
        value = values.get(name)
        if value is None:
            if schema.get("required") is True and schema.get("default", "") is not None:
                raise InvalidError(f"{name!r} is a required property")
            continue
        try:
            validator = parameter_validator(schema)
            is_valid = validator.is_valid(value)
            if not is_valid:
                value = without_nulls(value, place_of(schema))
                is_valid = validator.is_valid(value)
        except SchemaError as error:
            raise InvalidError(f'The schema of parameter "{name}" is wrong: {error}') from error
        if not is_valid:
            hidden = has_secrets(schema) or (taint is not None and taint.of(name))
            message = "the value does not fit its schema" if hidden else wording(draft4(schema), value)
            raise InvalidError(f'{message} (parameter "{name}")')


def wrong_defaults(schemas: Mapping[str, Any], casts: bool = True) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields the path of each default that does not fit its own schema, at any depth of `properties`, and why.

    If `casts`, texts are cast to their type, as those of parameters are; values of a configuration are not. Templates
    are not checked: only rendering them gives their values.
    """
    for name, schema in schemas.items():
        if not isinstance(schema, dict):
            continue
        default = schema.get("default")
        if default is not None and not any("{{" in text or "{%" in text for text in texts_in(default)):
            try:
                value = cast_value(name, default, schema) if casts else default
                _check({name: schema}, _filled({name: schema}, {name: value}), None)
            except InvalidError as error:
                reason = str(error).removeprefix(f'Parameter "{name}": ').removesuffix(f' (parameter "{name}")')
                yield (str(name),), reason
        properties = schema.get("properties")
        for path, reason in wrong_defaults(properties, False) if isinstance(properties, dict) else ():
            yield (str(name), "properties", *path), reason
