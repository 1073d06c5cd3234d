"""The size of JSON schemas with all their references followed, and the work of checking a value against them.

A validator follows each `$ref` again for each value. So a short schema whose parts refer twice to each other can cost
more than all time there is. A schema is weighed before it is built, and, if it refers to itself, so is each value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from squall.core.schema.walk import resolved

_FEW_PARTS: Final = 10_000
"""A schema with so few parts checks any value in little time for each part of the value."""

_MOST_PARTS: Final = 4_000_000
"""The most parts of a schema, and, for one with more than a few, of schema and value multiplied: 50 ms of work."""

_STEPS: Final = 10_000
_STEPS_PER_PART: Final = 50
_VALUES: Final = frozenset({"default", "enum", "const", "example", "examples"})
_REFERENCE: Final = re.compile(r"#(/[^%]*)?")
_TOO_MUCH: Final = "the check of the value takes too many steps: parts of the schema refer to each other"
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf")


class ExpansionError(ValueError):
    """A schema, or the check of a value against it, is too large with all references followed."""


class Expansion(NamedTuple):
    """A schema with all its references followed: the number of its parts, and whether one of them refers to itself
    (then each reference to a part around it counts as none)."""

    parts: int
    recursive: bool

    @property
    def needs_care(self) -> bool:
        """True if each value must be weighed before it is checked."""
        return self.recursive or self.parts > _FEW_PARTS


def check_references(schema: Any) -> Expansion:
    """Weighs a schema. Raises `ExpansionError`."""
    references = ids = 0
    for part in _parts(schema):
        reference = part.get("$ref")
        if isinstance(reference, str):
            references += 1
            if not _REFERENCE.fullmatch(reference):
                raise ExpansionError(
                    f'"$ref" must be "#" or a path such as "#/definitions/name", not {reference!r:.80}'
                )
        ids += part is not schema and isinstance(part.get("id"), str)
    if references and ids:
        raise ExpansionError('a part of a schema with "$ref" cannot have an "id": it would change what "$ref" names')
    return _expanded(schema) if references else Expansion(0, False)


def counted_patterns(schema: Any) -> int:
    """Returns the number of patterns in a schema that count repetitions: those may take much memory."""
    texts: list[Any] = []
    for part in _parts(schema):
        properties = part.get("patternProperties")
        texts += [part.get("pattern"), *(properties if isinstance(properties, dict) else ())]
    return sum(isinstance(text, str) and "{" in text for text in texts)


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yields all objects in a schema that may be schemas."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
        waiting += _inner(part)


def _inner(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return [value for key, value in part.items() if key not in _VALUES and isinstance(value, dict | list)]
    return [value for value in part if isinstance(value, dict | list)] if isinstance(part, list) else []


def _expanded(schema: Any) -> Expansion:
    """Counts the parts of a schema with all references followed. Raises `ExpansionError` if there are too many."""
    weights: dict[int, int] = {}
    opened: set[int] = set()
    recursive = False
    waiting = [(schema, False)]
    while waiting:
        part, complete = waiting.pop()
        inner = _inner(part)
        if isinstance(part, dict) and (target := resolved(part.get("$ref"), schema)) is not None:
            inner.append(target)
        if complete:
            opened.discard(id(part))
            weights[id(part)] = 1 + sum(weights.get(id(each), 0) for each in inner)
            if weights[id(part)] > _MOST_PARTS:
                raise ExpansionError(f'the schema has more than {_MOST_PARTS} parts if each "$ref" is followed')
        elif id(part) in opened:
            recursive = True
        elif id(part) not in weights:
            opened.add(id(part))
            waiting += [(part, True), *((each, False) for each in inner)]
    return Expansion(weights[id(schema)], recursive)


def check_work(schema: Any, expansion: Expansion, value: Any) -> None:
    """Weighs the check of a value against a schema. Raises `ExpansionError` if it takes too many steps: for a schema
    that refers to itself, many more than the value has parts."""
    size = _size(value)
    if not expansion.recursive:
        if expansion.parts * size > _MOST_PARTS:
            raise ExpansionError(_TOO_MUCH)
        return
    remaining = _STEPS + _STEPS_PER_PART * size
    waiting: list[tuple[Any, Any, frozenset[int]]] = [(schema, value, frozenset())]
    while waiting:
        part, instance, within = waiting.pop()
        if not isinstance(part, dict) or id(part) in within:
            continue
        remaining -= 1
        if remaining < 0:
            raise ExpansionError(_TOO_MUCH)
        around = within | {id(part)}
        waiting += [(each, instance, around) for each in _applied(part, schema)]
        waiting += [(each, child, frozenset()) for each, child in _children(part, instance)]


def _size(value: Any) -> int:
    """Returns the number of parts of a value."""
    count, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        count += 1
        if isinstance(part, dict | list):
            waiting += part.values() if isinstance(part, dict) else part
    return count


def _applied(part: dict[str, Any], root: Any) -> list[Any]:
    """Returns the schemas that a schema applies to the same value."""
    if "$ref" in part:
        return [resolved(part["$ref"], root)]
    applied = [part.get("not")]
    for word in _IN_PLACE:
        applied += part[word] if isinstance(part.get(word), list) else ()
    dependencies = part.get("dependencies")
    return [*applied, *(dependencies.values() if isinstance(dependencies, dict) else ())]


def _children(part: dict[str, Any], value: Any) -> Iterable[tuple[Any, Any]]:
    """Yields the schemas for the parts of a value, each with its part. A pattern counts as if it matched."""
    if "$ref" in part:
        return
    if isinstance(value, list):
        items = part.get("items")
        for index, item in enumerate(value):
            positional = items[index] if isinstance(items, list) and index < len(items) else None
            yield (items if isinstance(items, dict) else positional or part.get("additionalItems")), item
    elif isinstance(value, dict):
        named, patterns = part.get("properties"), part.get("patternProperties")
        for name, child in value.items():
            own = named.get(name) if isinstance(named, dict) else None
            yield (own if own is not None else part.get("additionalProperties")), child
            for each in patterns.values() if isinstance(patterns, dict) else ():
                yield each, child
