"""The JSON schema of the Orquesta language, version 1.0. Complaints to authors contain its paths."""

from __future__ import annotations

from typing import Any

_EXPRESSION = r"<%.*?%>|{{.*?}}"
_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_TEXT_OR_COUNT = {"oneOf": [_TEXT, _COUNT]}
_ANYTHING = {
    "anyOf": [{"type": name} for name in ("null", "array", "boolean", "integer", "number", "object", "string")]
}
_OBJECT = {"type": "object", "minProperties": 1, "patternProperties": {r"^\w+$": _ANYTHING}}
_PAIR = {**_OBJECT, "maxProperties": 1}
_TEXTS = {"type": "array", "items": _TEXT, "uniqueItems": True, "minItems": 1}
_PAIRS = {"type": "array", "items": _PAIR, "uniqueItems": True, "minItems": 1}
_TEXTS_OR_PAIRS = {"type": "array", "items": {"oneOf": [_TEXT, _PAIR]}, "uniqueItems": True, "minItems": 1}

_TRANSITION = {
    "type": "object",
    "properties": {"when": _TEXT, "publish": {"oneOf": [_TEXT, _PAIRS]}, "do": {"oneOf": [_TEXT, _TEXTS]}},
    "additionalProperties": False,
}
_ITEMS = {
    "type": "object",
    "properties": {
        "items": {
            "type": "string",
            "minLength": 1,
            "pattern": rf"^(\s+)?({_EXPRESSION})(\s+)?$|^(\s+)?((\w+,\s?|\s+)+)?(\w+)\s+in\s+({_EXPRESSION})(\s+)?$",
        },
        "concurrency": _TEXT_OR_COUNT,
    },
    "additionalProperties": False,
}
_RETRY = {
    "type": "object",
    "properties": {"when": _TEXT, "count": _TEXT_OR_COUNT, "delay": _TEXT_OR_COUNT},
    "required": ["count"],
    "additionalProperties": False,
}
_TASK = {
    "type": "object",
    "properties": {
        "delay": _TEXT_OR_COUNT,
        "join": {"oneOf": [{"enum": ["all"]}, _COUNT]},
        "with": _ITEMS,
        "action": _TEXT,
        "input": {"oneOf": [_TEXT, _OBJECT]},
        "retry": _RETRY,
        "next": {"type": "array", "items": _TRANSITION},
    },
    "additionalProperties": False,
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "version": {"enum": ["1.0", 1.0]},
        "description": _TEXT,
        "tags": _TEXTS,
        "vars": _PAIRS,
        "input": _TEXTS_OR_PAIRS,
        "output": _PAIRS,
        "tasks": {"type": "object", "minProperties": 1, "patternProperties": {r"^\w+$": _TASK}},
    },
    "required": ["tasks"],
    "additionalProperties": False,
}
