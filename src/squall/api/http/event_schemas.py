"""The JSON Schemas and query parameters of triggers and rules, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_LIST: Schema = {"type": "array"}


def _of(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


_NAMED: dict[str, Schema] = {
    "id": _TEXT, "ref": _TEXT, "uid": _TEXT, "name": _TEXT, "pack": _TEXT, "description": _TEXT,
}  # fmt: skip
_TYPE = {**_NAMED, "payload_schema": _OBJECT, "parameters_schema": _OBJECT, "tags": _LIST, "metadata_file": _TEXT}
_TRIGGER = {**_NAMED, "type": _TEXT, "parameters": _OBJECT}
_RULE = {
    **_NAMED, "enabled": _FLAG, "type": _OBJECT, "trigger": _OBJECT, "criteria": _OBJECT, "action": _OBJECT,
    "context": _OBJECT, "tags": _LIST, "metadata_file": _TEXT, "throttle": _OBJECT, "correlate": _OBJECT,
    "absent": _OBJECT, "hold": _FLAG, "trigger_error": _TEXT,
}  # fmt: skip

EVENT_QUERY: dict[str, tuple[Schema, str]] = {
    "enabled": (_FLAG, "only enabled, or only disabled ones"),
    "enforced_at_gt": (_TIME, "only what was enforced after this time"),
    "enforced_at_lt": (_TIME, "only what was enforced before this time"),
    "rule_id": (_TEXT, "a rule's id"),
    "rule_ref": (_TEXT, "a rule's ref"),
    "trigger": (_TEXT, "a trigger's ref"),
    "trigger_type": (_TEXT, "a trigger type's ref"),
    "type": (_TEXT, "a trigger type's ref"),
}

EVENT_SCHEMAS: dict[str, Schema] = {
    "TriggerType": _of(("id", "ref"), **_TYPE),
    "TriggerTypeBody": _of(("name", "pack"), **_TYPE),
    "Trigger": _of(("id", "ref", "type"), **_TRIGGER),
    "TriggerBody": _of(("type",), **_TRIGGER),
    "TriggerInstance": _of(
        ("id", "trigger"), id=_TEXT, trigger=_TEXT, occurrence_time=_TIME, payload={}, failure_reason=_TEXT,
        status={"type": "string", "enum": ["pending", "processing", "processed", "processing_failed"]},
    ),
    "Rule": _of(("id", "ref"), **_RULE),
    "RuleBody": _of(("name", "trigger", "action"), **_RULE),
    "RuleType": _of(("id", "name"), id=_TEXT, name=_TEXT, description=_TEXT, enabled=_FLAG, parameters=_OBJECT),
    "RuleEnforcement": _of(
        ("id", "rule"), id=_TEXT, rule=_OBJECT, trigger_instance_id=_TEXT, execution_id=_TEXT, failure_reason=_TEXT,
        enforced_at=_TIME, status={"type": "string", "enum": ["succeeded", "failed"]}, explanation=_OBJECT,
    ),
}  # fmt: skip
"""The schemas of bodies and documents."""
