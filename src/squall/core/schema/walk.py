"""The walk over a JSON schema beside a value: the schemas that apply to each part of the value, and its secret parts.

All code that follows a schema into a value uses this walk: sealing, masking, checks of quotes in errors, and filling
in of defaults. The walk follows `properties`, `patternProperties`, `additionalProperties`, `items` (one schema or a
list), `prefixItems`, `additionalItems`, `allOf` and local `$ref`. If a schema has a secret that the walk cannot place,
such as one in a branch of `anyOf`, the whole value counts as secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import re2  # type: ignore[import-untyped]

from squall.core.access.secret import MASK, Sealed

_BY_NAME = frozenset({"properties", "patternProperties", "dependencies", "dependentSchemas"})
"""Keywords that hold a schema for each name."""
_DEFINITIONS = frozenset({"definitions", "$defs"})
_DATA = frozenset({"default", "enum", "const", "example", "examples"})
"""Keywords that hold values, never schemas."""
_PLACED: Mapping[str, tuple[type, ...]] = {
    "properties": (dict,),
    "patternProperties": (dict,),
    "additionalProperties": (dict,),
    "items": (dict, list),
    "prefixItems": (list,),
    "additionalItems": (dict,),
    "allOf": (list,),
}
"""Keywords that the walk follows, if they hold one of these types."""
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_HIDDEN: Mapping[str, Any] = {"secret": True}
_CACHED = 1024
"""The most properties whose places are cached: patterns match any number of names."""


class Place:
    """The schemas that apply to one part of a value; `root` is the document that their references point into.

    A place caches the places below it, so looking one up for each item of an array costs little.
    """

    def __init__(self, schemas: Iterable[Any], root: Any) -> None:
        self._root = root
        self._schemas = list(_applying(schemas, root))
        self._by_name: dict[str, Place] = {}
        self._items: dict[int, Place] = {}

    @cached_property
    def secret(self) -> bool:
        """True if the whole value is secret."""
        return any(schema.get("secret") or _is_unplaced(schema, self._root) for schema in self._schemas)

    @cached_property
    def has_secrets(self) -> bool:
        """True if any part of a value can be secret."""
        return any(mentions_secret(schema, self._root) for schema in self._schemas)

    @property
    def schemas(self) -> list[dict[str, Any]]:
        """The schemas that certainly apply here, `allOf` and references followed."""
        return self._schemas

    @cached_property
    def names(self) -> list[str]:
        """The names of the properties that the schemas list, in their order."""
        names = {
            name: None
            for properties in self._properties
            for name, entry in properties.items()
            if isinstance(entry, dict)
        }
        return list(names)

    def default(self) -> tuple[bool, Any]:
        """Returns whether a schema here has a default, and the first default."""
        for schema in self._schemas:
            if "default" in schema:
                return True, schema["default"]
        return False, None

    def property(self, name: Any) -> Place:
        """Returns the place of the property `name` of an object here."""
        name = str(name)
        if name not in self._by_name:
            if not self._patterns and all(name not in properties for properties in self._properties):
                return self._others
            below = Place(
                [entry for index in range(len(self._schemas)) for entry in self._entries(index, name)], self._root
            )
            if len(self._by_name) >= _CACHED:
                return below
            self._by_name[name] = below
        return self._by_name[name]

    def item(self, index: int) -> Place:
        """Returns the place of the item `index` (from 0) of an array here."""
        index = min(index, self._positions)
        if index not in self._items:
            entries = [entry for schema in self._schemas for entry in _item_schemas(schema, index)]
            self._items[index] = Place(entries, self._root)
        return self._items[index]

    @cached_property
    def _properties(self) -> list[dict[str, Any]]:
        # YAML reads a name such as 8080 as a number.
        mappings = (_mapping(schema, "properties") for schema in self._schemas)
        return [{str(name): entry for name, entry in properties.items()} for properties in mappings]

    @cached_property
    def _patterns(self) -> dict[str, Any]:
        patterns = (str(pattern) for schema in self._schemas for pattern in _mapping(schema, "patternProperties"))
        return {pattern: _compiled(pattern) for pattern in patterns}

    @cached_property
    def _others(self) -> Place:
        return Place([schema.get("additionalProperties") for schema in self._schemas], self._root)

    @cached_property
    def _positions(self) -> int:
        """The number of items that have a schema by their position; all others share one."""
        lists = (schema.get(key) for schema in self._schemas for key in ("prefixItems", "items"))
        return max((len(entries) for entries in lists if isinstance(entries, list)), default=0)

    def _entries(self, index: int, name: str) -> Iterator[Any]:
        """Yields the schemas that one schema, number `index`, has for the property `name`."""
        schema, properties = self._schemas[index], self._properties[index]
        is_listed = name in properties
        if is_listed:
            yield properties[name]
        unsure: list[Any] = []
        for pattern, entry in _mapping(schema, "patternProperties").items():
            matches = _matches(str(pattern), self._patterns[str(pattern)], name)
            if matches is None:
                unsure.append(entry)
            elif matches:
                is_listed = True
                yield entry
        extra = schema.get("additionalProperties")
        if unsure and not is_listed:
            unsure.append(extra)
        elif not is_listed:
            yield extra
        if mentions_secret(unsure, self._root):
            yield _HIDDEN


def place_of(schema: Any) -> Place:
    """Returns the place of a whole value with this schema, which is also the document that its references point
    into."""
    return Place([schema], schema)


def mapped(value: Any, place: Place, secret: Callable[[Any], Any], other: Callable[[Any], Any] | None = None) -> Any:
    """Returns `value` with `secret(part)` for each part that is secret, and `other(leaf)` for each other leaf.

    `None` is never secret. Sealed values are leaves.
    """
    if other is None and not place.has_secrets:
        return value
    if place.secret and value is not None:
        return secret(value)
    if isinstance(value, dict):
        return {key: mapped(item, place.property(key), secret, other) for key, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, place.item(index), secret, other) for index, item in enumerate(value)]
    return other(value) if other is not None else value


def seal_secrets(value: Any, schema: Any, seal: Callable[[Any], str]) -> Any:
    """Returns `value` with a `Sealed` for each part that its JSON `schema` marks `secret: true`; `seal` makes the
    envelope."""
    return mapped(value, place_of(schema), lambda secret: Sealed(seal(secret)))


def mask_secrets(value: Any, place: Place) -> Any:
    """Returns `value` with `********` for each part that is secret."""
    return mapped(value, place, lambda _: MASK)


def has_secrets(schema: Any) -> bool:
    """Checks whether any part of a value of this schema can be secret."""
    return mentions_secret(schema, schema)


def texts_in(value: Any) -> Iterator[str]:
    """Yields the texts and numbers in `value`, at any depth of objects and arrays, as text."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def with_defaults(value: Any, place: Place, *, nulls: bool, creates: bool) -> Any:
    """Returns `value` with the defaults of the properties that it lacks, at any depth of objects and arrays.

    A default of `None` counts only if `nulls`. If `creates`, a missing object whose properties have defaults is created
    too.
    """
    return _filled(value, place, nulls, creates, frozenset())


def _filled(value: Any, place: Place, nulls: bool, creates: bool, within: frozenset[tuple[int, ...]]) -> Any:
    """Fills in defaults. `within` are the schemas of the defaults around `value`: one that refers to itself would never
    end."""
    if isinstance(value, list):
        return [_filled(item, place.item(index), nulls, creates, within) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    filled = {key: _filled(item, place.property(key), nulls, creates, within) for key, item in value.items()}
    names = {str(name) for name in value}
    missing: dict[str, Any] = {}
    for name in (name for name in place.names if name not in names):
        below = place.property(name)
        identity = tuple(id(schema) for schema in below.schemas)
        has_default, default = below.default()
        has_default = has_default and (nulls or default is not None)
        if identity in within or not (has_default or creates):
            continue
        inner = _filled(default if has_default else {}, below, nulls, creates, within | {identity})
        if has_default or inner:
            missing[name] = inner
    return filled | missing if creates else missing | filled


def without_nulls(value: Any, place: Place) -> Any:
    """Returns `value` for its check: without the nulls that stand for a property which may be left out.

    These are nulls of properties that the schema lists and does not require, or for which it has a default. A default
    that is not null replaces such a null.
    """
    if isinstance(value, list):
        return [without_nulls(item, place.item(index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    names = frozenset(place.names)
    fields: dict[str, Any] = {}
    for key, item in value.items():
        below = place.property(key)
        if item is not None or str(key) not in names:
            fields[key] = without_nulls(item, below)
            continue
        has_default, default = below.default()
        if default is not None:
            fields[key] = default
        elif not has_default and any(schema.get("required") is True for schema in below.schemas):
            fields[key] = None
    return fields


def mentions_secret(schema: Any, root: Any) -> bool:
    """Checks whether `schema`, or a schema that it refers to, marks a secret or has a reference that `root` lacks."""
    visited: set[int] = set()
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        if not isinstance(part, dict) or id(part) in visited:
            continue
        visited.add(id(part))
        if part.get("secret"):
            return True
        for key, below in part.items():
            if key in _REFERENCES:
                target = resolved(below, root) if key == "$ref" else None
                if target is None:
                    return True
                waiting.append(target)
            elif key in _BY_NAME:
                waiting += below.values() if isinstance(below, dict) else [below]
            elif key not in _DATA and key not in _DEFINITIONS:
                waiting.append(below)
    return False


def resolved(reference: Any, root: Any) -> dict[str, Any] | None:
    """Returns the schema that a local reference such as `#/definitions/login` names; None if `root` has none."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    target = root
    for step in reference[1:].split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict) and step in target:
            target = target[step]
        elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
            target = target[int(step)]
        else:
            return None
    return {} if isinstance(target, bool) else target if isinstance(target, dict) else None


def _applying(schemas: Iterable[Any], root: Any) -> Iterator[dict[str, Any]]:
    """Yields the schemas, the parts of their `allOf` and the targets of their references, each once."""
    visited: set[int] = set()
    waiting = list(schemas)[::-1]
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, dict) or id(schema) in visited:
            continue
        visited.add(id(schema))
        yield schema
        if isinstance(schema.get("allOf"), list):
            waiting += schema["allOf"][::-1]
        if "$ref" in schema:
            waiting.append(resolved(schema["$ref"], root))


def _is_unplaced(schema: dict[str, Any], root: Any) -> bool:
    """Checks whether the schema marks a secret at a place that the walk cannot assign to a part of a value."""
    rest = {key: below for key, below in schema.items() if not isinstance(below, _PLACED.get(key, ()))}
    if resolved(rest.get("$ref"), root) is not None:
        del rest["$ref"]
    return mentions_secret(rest, root)


def _item_schemas(schema: Mapping[str, Any], index: int) -> Iterator[Any]:
    prefix, items = schema.get("prefixItems"), schema.get("items")
    by_position = [entries[index] for entries in (prefix, items) if isinstance(entries, list) and index < len(entries)]
    if by_position:
        yield from by_position
        return
    if isinstance(items, dict):
        yield items
    yield schema.get("additionalItems")


def _mapping(schema: Mapping[str, Any], key: str) -> dict[Any, Any]:
    entries = schema.get(key)
    return entries if isinstance(entries, dict) else {}


def _compiled(pattern: str) -> Any:
    """Compiles a pattern; returns None for one that RE2 cannot run."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError):
        return None


def _matches(pattern: str, compiled: Any, name: str) -> bool | None:
    """Checks whether the pattern matches anywhere in the name; returns None if it cannot decide."""
    if compiled is None:
        return None
    try:
        if compiled.search(name) is not None:
            return True
    except UnicodeError:
        return None
    # RE2's classes such as \w and its (?i) cover ASCII only; those of other engines cover Unicode.
    return None if not name.isascii() and ("\\" in pattern or "(?" in pattern) else False
