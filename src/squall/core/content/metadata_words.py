"""The words (keys) of metadata files: finds misspelt words and values of the wrong type.

As in StackStorm, an unknown word in an action or its parameters is an error. Elsewhere it is a warning for the author.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from squall.core.errors import InvalidError
from squall.core.schema.literals import LiteralError, literal_value

_TEXT, _MAP, _LIST, _FLAG, _NUMBER = (str,), (dict,), (list,), (bool,), (int, float)
Types = Mapping[str, tuple[type, ...]]
NAMES = {str: "a text", dict: "a mapping", list: "a list", bool: "true or false", int: "a number"}

_COMMON: Types = {"id": _TEXT, "ref": _TEXT, "uid": _TEXT, "pack": _TEXT, "metadata_file": _TEXT, "description": _TEXT}
ACTION_WORDS: Types = {
    **_COMMON, "name": _TEXT, "runner_type": _TEXT, "enabled": _FLAG, "entry_point": _TEXT, "parameters": _MAP,
    "output_schema": _MAP, "notify": _MAP, "tags": _LIST, "output_limit": _MAP, "fork_server": _FLAG,
    "data_files": (object,),
}  # fmt: skip
PARAMETER_WORDS: Types = {
    "id": _TEXT, "$schema": _TEXT, "title": _TEXT, "description": _TEXT, "default": (object,), "multipleOf": _NUMBER,
    "maximum": _NUMBER, "exclusiveMaximum": _FLAG, "minimum": _NUMBER, "exclusiveMinimum": _FLAG, "maxLength": _NUMBER,
    "minLength": _NUMBER, "pattern": _TEXT, "additionalItems": (bool, dict), "items": (dict, list), "maxItems": _NUMBER,
    "minItems": _NUMBER, "uniqueItems": _FLAG, "maxProperties": _NUMBER, "minProperties": _NUMBER, "required": _FLAG,
    "secret": _FLAG, "additionalProperties": (bool, dict), "definitions": _MAP, "properties": _MAP,
    "patternProperties": _MAP, "dependencies": _MAP, "enum": _LIST, "type": _TEXT, "position": _NUMBER,
    "immutable": _FLAG, "format": _TEXT, "allOf": _LIST, "anyOf": _LIST, "oneOf": _LIST, "not": _MAP, "$ref": _TEXT,
}  # fmt: skip
_SCHEMA_WORDS = frozenset(PARAMETER_WORDS) | {
    "$defs", "$id", "$comment", "const", "contains", "dependentSchemas", "else", "example", "examples", "if",
    "prefixItems", "propertyNames", "then",
}  # fmt: skip
_FILE_WORDS: Mapping[str, Collection[str]] = {
    "aliases": (*_COMMON, "name", "action_ref", "formats", "enabled", "ack", "result", "extra", "immutable_parameters"),
    "rules": (*_COMMON, "name", "trigger", "criteria", "action", "enabled", "type", "tags", "context"),
    "sensors": (
        *_COMMON, "class_name", "entry_point", "enabled", "poll_interval", "trigger_types", "artifact_uri", "name",
    ),
    "triggers": (*_COMMON, "name", "payload_schema", "parameters_schema", "tags"),
    "policies": (*_COMMON, "name", "enabled", "resource_ref", "resource_type", "policy_type", "parameters"),
}  # fmt: skip
_TAG = ("name", "value")
_INNER_WORDS: Mapping[str, Mapping[str, Collection[str]]] = {
    "actions": {"tags": _TAG},
    "aliases": {
        "ack": ("enabled", "format", "extra", "append_url"),
        "result": ("enabled", "format", "extra"),
        "formats": ("display", "representation", "match_multiple"),
    },
    "rules": {
        "trigger": ("type", "description", "parameters", "ref", "pack", "criteria"),
        "action": ("ref", "description", "parameters"),
        "type": ("ref", "parameters"),
        "tags": _TAG,
    },
    "sensors": {"trigger_types": (*_COMMON, "name", "payload_schema", "parameters_schema", "tags")},
    "triggers": {"tags": _TAG},
}
"""The words of inner objects, by kind of file and key. The key's value is such an object, or a list of them."""
_PACK_WORDS = (
    "ref", "name", "description", "version", "author", "email", "keywords", "contributors", "dependencies",
    "stackstorm_version", "python_versions", "system",
)  # fmt: skip
_FORMAT_PARAMETER = re.compile(r"{{\s*(\w+)")


class MetadataError(InvalidError):
    """A fault in a metadata file. `keys` is its path, from the outermost key."""

    def __init__(self, message: str, *keys: str) -> None:
        self.keys = keys
        super().__init__(f"{'.'.join(keys)}: {message}" if keys else message)


def check_type(value: Any, types: tuple[type, ...], *keys: str) -> None:
    """Raises `MetadataError` at `keys` if a value has none of these types. A bool is not a number here."""
    if object in types or (isinstance(value, types) and not (isinstance(value, bool) and bool not in types)):
        return
    scalar = isinstance(value, bool | int | float | datetime.date)
    advice = "; quote it" if str in types and scalar else ""
    expected = " or ".join(NAMES[each] for each in types if each is not float)
    raise MetadataError(f"{value!r:.60} is not {expected}{advice}", *keys)


def check_words(data: Mapping[Any, Any], words: Types, *keys: str) -> None:
    """Raises `MetadataError` if a key is not in `words`, or a value has the wrong type. A null has every type."""
    for key, value in data.items():
        if key not in words:
            raise unknown_word(key, words, *keys)
        if value is not None:
            check_type(value, words[key], *keys, key)


def unknown_word(key: Any, words: Collection[str], *keys: str) -> MetadataError:
    """Returns the error for an unknown key, which suggests a similar word."""
    similar = similar_word(key, words)
    advice = f'; did you mean "{similar}"?' if similar else ""
    return MetadataError(f"this word is not known here{advice}", *keys, str(key))


def similar_word(key: Any, words: Collection[str]) -> str | None:
    """Returns the word that is most similar to a misspelt key; None if no word is similar."""
    plain = str(key).lower().replace("-", "_").replace(" ", "_")
    return next(iter(difflib.get_close_matches(plain, list(words), 1, 0.75)), None)


def check_json(value: Any, *keys: str) -> None:
    """Raises `MetadataError` at the innermost key if a value is not possible in JSON."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, bool) or not isinstance(key, str | int | float):
                text = {True: "yes, on or true", False: "no, off or false", None: "null"}.get(key, repr(key))
                raise MetadataError(f"a key is read as {key!r}, which is not a text; quote it ({text:.60})", *keys)
            check_json(item, *keys, str(key))
    elif isinstance(value, list):
        for item in value:
            check_json(item, *keys)
    elif not isinstance(value, datetime.date | bytes):
        try:
            literal_value(value)
        except LiteralError as error:
            raise MetadataError(str(error), *keys) from error


def doubts(kind: str, data: Any) -> Iterator[MetadataError]:
    """Yields warnings for the author of a usable file: its unknown words. `kind` is a folder's name, or `pack`."""
    if not isinstance(data, dict):
        return
    if kind == "pack":
        for key in data:
            if key not in _PACK_WORDS and similar_word(key, _PACK_WORDS):
                yield unknown_word(key, _PACK_WORDS)
    for key in data if kind in _FILE_WORDS else ():
        if key not in _FILE_WORDS[kind]:
            yield unknown_word(key, _FILE_WORDS[kind])
    yield from _inner_doubts(data, _INNER_WORDS.get(kind, {}))
    parameters = data.get("parameters") if kind == "actions" else None
    for name, schema in parameters.items() if isinstance(parameters, dict) else ():
        yield from schema_doubts(schema, "parameters", str(name))
    if kind == "rules":
        yield from _rule_doubts(data)
    if kind == "aliases":
        yield from _alias_doubts(data)


def schema_doubts(schema: Any, *keys: str) -> Iterator[MetadataError]:
    """Yields the words in a schema that neither StackStorm nor JSON Schema knows, at any depth."""
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key not in _SCHEMA_WORDS:
            yield unknown_word(key, sorted(_SCHEMA_WORDS), *keys)
        elif key in ("properties", "patternProperties", "definitions", "$defs") and isinstance(value, dict):
            for name, inner in value.items():
                yield from schema_doubts(inner, *keys, key, str(name))
        elif key in ("items", "additionalItems", "additionalProperties", "not", "anyOf", "oneOf", "allOf"):
            for inner in value if isinstance(value, list) else [value]:
                yield from schema_doubts(inner, *keys, key)


def _inner_doubts(data: Mapping[Any, Any], words: Mapping[str, Collection[str]]) -> Iterator[MetadataError]:
    """Yields the unknown words in the objects below these keys."""
    for key, inner_words in words.items():
        value = data.get(key)
        for part in value if isinstance(value, list) else [value]:
            for inner in part if isinstance(part, dict) else ():
                if inner not in inner_words:
                    yield unknown_word(inner, inner_words, key)


def _rule_doubts(data: Mapping[str, Any]) -> Iterator[MetadataError]:
    trigger = data.get("trigger")
    if isinstance(trigger, dict) and "criteria" in trigger:
        yield MetadataError(
            "criteria inside of trigger are ignored, so the rule matches every instance; move them out of trigger, to "
            "the left",
            "trigger", "criteria",
        )  # fmt: skip


def _alias_doubts(data: Mapping[str, Any]) -> Iterator[MetadataError]:
    formats = data.get("formats")
    for entry in formats if isinstance(formats, list) else ():
        representation = entry.get("representation") if isinstance(entry, dict) else entry
        for text in representation if isinstance(representation, list) else [representation]:
            names = _FORMAT_PARAMETER.findall(text) if isinstance(text, str) else []
            for name in dict.fromkeys(each for each in names if names.count(each) > 1):
                yield MetadataError(f'the parameter "{name}" is more than once in the format "{text:.80}"', "formats")
