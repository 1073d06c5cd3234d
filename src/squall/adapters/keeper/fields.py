"""Named tuples as the fields of JSON objects, by their types: for messages and for the run log. Standard library only.

Reading ignores unknown fields, as a later version may have added them. Writing omits fields that equal their defaults.
A type that is not in `_forms` needs a line there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from squall.core.execution.process import End, ForkServer, LaunchSpec
from squall.core.output.journal import ServerRecord

T = TypeVar("T")
_KEYS = {"unit": "execution"}
# The default of fields that have none. It equals no value of a field.
_NONE = object()


class BadFieldsError(ValueError):
    """The fields do not fit the record. The message names the field and the fault."""


class _Form(NamedTuple):
    """The JSON form of values of one type. `write` makes it, `read` reads it. `read` raises `ValueError`."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class _Field(NamedTuple):
    name: str
    key: str
    form: _Form
    default: object


def to_fields(record: Any) -> dict[str, Any]:
    """Returns a record (an instance of a `NamedTuple`) as the fields of a JSON object."""
    kind: Any = type(record)
    fields = {}
    for value, field in zip(record, _layout(kind), strict=True):
        if value != field.default:
            fields[field.key] = field.form.write(value)
    return fields


def from_fields(kind: Callable[..., T], fields: dict[str, Any]) -> T:
    """Returns the record of this kind (a `NamedTuple`) that the fields describe. Raises `BadFieldsError`."""
    values = {}
    for field in _layout(kind):
        if field.key in fields:
            try:
                values[field.name] = field.form.read(fields[field.key])
            except ValueError as error:
                raise BadFieldsError(f"its field {field.key!r} {error}") from error
        elif field.default is _NONE:
            raise BadFieldsError(f"it has no field {field.key!r}")
    return kind(**values)


@cache
def _layout(kind: Any) -> tuple[_Field, ...]:
    types, forms = get_type_hints(kind), _forms()
    return tuple(
        _Field(name, _KEYS.get(name, name), forms[types[name]], kind._field_defaults.get(name, _NONE))
        for name in kind._fields
    )


@cache
def _forms() -> dict[Any, _Form]:
    text, number, truth, seconds = _plain(str), _plain(int), _plain(bool), _plain(float, int)
    encoded = _Form(lambda data: base64.b64encode(data).decode(), _decoded)
    # A payload is JSON text already, so it needs no base64.
    readable = _Form(bytes.decode, lambda value: text.read(value).encode())
    return {
        str: text,
        int: number,
        bool: truth,
        float: seconds,
        bytes: readable,
        str | None: _optional(text),
        int | None: _optional(number),
        bool | None: _optional(truth),
        float | None: _optional(seconds),
        bytes | None: _optional(encoded),
        list[str]: _sequence(list, text),
        tuple[str, ...]: _sequence(tuple, text),
        tuple[bytes, ...]: _sequence(tuple, encoded),
        tuple[int, int] | None: _optional(_pair(number, number)),
        tuple[tuple[str, int], ...]: _sequence(tuple, _pair(text, number)),
        dict[str, str]: _mapping(text),
        dict[str, int]: _mapping(number),
        LaunchSpec: _record(LaunchSpec),
        ForkServer | None: _optional(_record(ForkServer)),
        tuple[End, ...]: _sequence(tuple, _record(End)),
        tuple[ServerRecord, ...]: _sequence(
            tuple, _listed(ServerRecord, text, number, number, number, readable, truth)
        ),
    }


def _plain(*kinds: type) -> _Form:
    def read(value: Any) -> Any:
        # In Python a bool is an int; in these fields it is not.
        if type(value) not in kinds:
            raise ValueError(f"must be {kinds[0].__name__}, not {type(value).__name__}")
        return value

    return _Form(lambda value: value, read)


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value)
    except (TypeError, binascii.Error) as error:
        raise ValueError(f"must be base64: {error}") from error


def _optional(form: _Form) -> _Form:
    return _Form(
        lambda value: None if value is None else form.write(value),
        lambda value: None if value is None else form.read(value),
    )


def _sequence(kind: Callable[[Any], Any], item: _Form) -> _Form:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise ValueError(f"must be list, not {type(value).__name__}")
        return kind(item.read(each) for each in value)

    return _Form(lambda value: [item.write(each) for each in value], read)


def _pair(first: _Form, second: _Form) -> _Form:
    def read(value: Any) -> tuple[Any, Any]:
        if type(value) is not list or len(value) != 2:
            raise ValueError("must be a list of two")
        return first.read(value[0]), second.read(value[1])

    return _Form(lambda value: [first.write(value[0]), second.write(value[1])], read)


def _listed(kind: Callable[..., Any], *items: _Form) -> _Form:
    """Returns the form of records that a message has many of: their values without the names."""

    def read(value: Any) -> Any:
        if type(value) is not list or len(value) != len(items):
            raise ValueError(f"must be a list of {len(items)}")
        return kind(*(item.read(each) for item, each in zip(items, value, strict=True)))

    return _Form(lambda value: [item.write(each) for item, each in zip(items, value, strict=True)], read)


def _mapping(item: _Form) -> _Form:
    def read(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise ValueError(f"must be dict, not {type(value).__name__}")
        return {key: item.read(each) for key, each in value.items()}

    return _Form(lambda value: {key: item.write(each) for key, each in value.items()}, read)


def _record(kind: type[Any]) -> _Form:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise ValueError(f"must be dict, not {type(value).__name__}")
        try:
            return from_fields(kind, value)
        except BadFieldsError as error:
            raise ValueError(f"is wrong: {error}") from error

    return _Form(to_fields, read)
