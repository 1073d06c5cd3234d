"""JSON Schemas of the metadata files of packs, for editors, which complete keys and mark wrong ones with them.

They require the same as `core.content.metadata`. Further keys are allowed, except in actions and their parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from squall.core.content.metadata import ACTION_REQUIRED, PACK_REQUIRED, RESOURCES
from squall.core.content.metadata_words import ACTION_WORDS, PARAMETER_WORDS
from squall.core.workflow.definition.schema import SCHEMA as ORQUESTA

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_MAP: dict[str, Any] = {"type": "object"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_NAME = {"type": "string", "pattern": r"^[\w.-]+$"}
_REF = {"type": "string", "pattern": r"^[^.\s]+\..+$", "description": "A reference, such as core.local."}
_TAGS = {"type": "array", "items": {"type": "object", "properties": {"name": _TEXT, "value": _TEXT}}}
_TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]
_VALUE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"enum": _TYPES},
        "description": _TEXT,
        "required": {"type": ["boolean", "array"]},
        "default": {},
        "enum": {"type": "array"},
        "secret": {"type": "boolean", "description": "If true, it is stored encrypted and shown as ********."},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/definitions/value"}},
        "patternProperties": {"type": "object", "additionalProperties": {"$ref": "#/definitions/value"}},
        "items": {},
    },
}
_PARAMETER = {
    **_VALUE,
    "propertyNames": {"enum": sorted(PARAMETER_WORDS)},
    "properties": {
        **_VALUE["properties"],
        "immutable": {"type": "boolean", "description": "If true, calls cannot set it; it needs a default."},
        "position": {"type": "integer", "minimum": 0, "description": "Its position among the plain arguments."},
    },
}


def _schema(title: str, required: Sequence[str], **properties: Any) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        "type": "object",
        "required": list(required),
        "properties": {"pack": {**_TEXT, "description": "The ref of the pack that has the file."}, **properties},
        "definitions": {"value": _VALUE},
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    "pack": _schema(
        "pack.yaml",
        PACK_REQUIRED,
        ref={"type": "string", "pattern": "^[a-z0-9_]+$"},
        name=_TEXT, description=_TEXT, version={"type": ["string", "number"]}, author=_TEXT, email=_TEXT,
        keywords=_TEXTS, contributors=_TEXTS, dependencies=_TEXTS, stackstorm_version=_TEXT,
        python_versions={"type": "array", "items": {"enum": ["2", "3"]}, "uniqueItems": True}, system=_MAP,
        python={
            "type": ["string", "number"],
            "description": "Squall's own: the Python of the pack's virtualenv, such as \"3.9\" or \">=3.9,<3.12\".",
        },
    ),
    "action": _schema(
        "actions/*.yaml",
        ACTION_REQUIRED,
        name=_NAME, runner_type=_TEXT, description=_TEXT, enabled=_FLAG, entry_point=_TEXT,
        parameters={"type": "object", "additionalProperties": _PARAMETER, "propertyNames": {"pattern": r"^\w+$"}},
        output_schema=_MAP, tags=_TAGS, notify=_MAP,
        output_limit={
            "type": "object",
            "properties": {
                "bytes": {"type": ["integer", "string"]},
                "policy": {"enum": ["truncate", "fail", "unlimited"]},
            },
        },
        fork_server=_FLAG,
    ) | {"propertyNames": {"enum": sorted(ACTION_WORDS)}},
    "alias": _schema(
        "aliases/*.yaml",
        RESOURCES["aliases"],
        name=_TEXT, action_ref=_REF, description=_TEXT, enabled=_FLAG, ack=_MAP, result=_MAP, extra=_MAP,
        immutable_parameters=_MAP,
        formats={
            "type": "array",
            "items": {
                "anyOf": [
                    _TEXT,
                    {
                        "type": "object",
                        "properties": {
                            "display": _TEXT, "match_multiple": _FLAG,
                            "representation": {"anyOf": [_TEXT, _TEXTS]},
                        },
                    },
                ]
            },
        },
    ),
    "rule": _schema(
        "rules/*.yaml",
        RESOURCES["rules"],
        name=_TEXT, description=_TEXT, enabled={**_FLAG, "default": False}, criteria=_MAP, tags=_TAGS,
        trigger={"type": "object", "required": ["type"], "properties": {"type": _REF, "parameters": _MAP}},
        action={"type": "object", "required": ["ref"], "properties": {"ref": _REF, "parameters": _MAP}},
        type={"type": "object", "properties": {"ref": _TEXT, "parameters": _MAP}},
    ),
    "sensor": _schema(
        "sensors/*.yaml",
        RESOURCES["sensors"],
        class_name=_TEXT, entry_point=_TEXT, description=_TEXT, enabled=_FLAG,
        poll_interval={"type": "number", "exclusiveMinimum": 0, "description": "Seconds; makes it a polling sensor."},
        trigger_types={
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": _TEXT, "description": _TEXT, "payload_schema": _MAP, "parameters_schema": _MAP},
            },
        },
    ),
    "trigger": _schema(
        "triggers/*.yaml",
        RESOURCES["triggers"],
        name=_TEXT, description=_TEXT, payload_schema=_MAP, parameters_schema=_MAP, tags=_TAGS,
    ),
    "policy": _schema(
        "policies/*.yaml",
        ["name", "resource_ref", "policy_type"],
        name=_TEXT, description=_TEXT, enabled=_FLAG, resource_type={"enum": ["action"]}, resource_ref=_REF,
        policy_type={"enum": ["action.concurrency", "action.concurrency.attr", "action.retry"]}, parameters=_MAP,
    ),
    "config": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "config.schema.yaml",
        "type": "object",
        "propertyNames": {"pattern": r"^\w+$"},
        "additionalProperties": {"$ref": "#/definitions/value"},
        "definitions": {"value": _VALUE},
    },
    "workflow": {**ORQUESTA, "title": "actions/workflows/*.yaml, version 1.0"},
    "chain": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "actions/chains/*.yaml",
        "type": "object",
        "required": ["chain"],
        "properties": {
            "vars": _MAP,
            "default": _TEXT,
            "chain": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "ref"],
                    "properties": {
                        "name": _TEXT, "ref": _REF, "params": _MAP, "parameters": _MAP, "on-success": _TEXT,
                        "on-failure": _TEXT, "publish": _MAP, "notify": _MAP,
                    },
                },
            },
        },
    },
}  # fmt: skip
"""The schemas by kind: `pack`, `action`, `alias`, `rule`, `sensor`, `trigger`, `policy`, `config`, `workflow`,
`chain`."""

FILES = {
    "pack": ["pack.yaml"],
    "action": ["actions/*.yaml"],
    "alias": ["aliases/*.yaml"],
    "rule": ["rules/*.yaml"],
    "sensor": ["sensors/*.yaml"],
    "trigger": ["triggers/*.yaml"],
    "policy": ["policies/*.yaml"],
    "config": ["config.schema.yaml"],
    "workflow": ["actions/workflows/*.yaml"],
    "chain": ["actions/chains/*.yaml"],
}
"""The patterns of a pack's files by the kind of their schema."""
