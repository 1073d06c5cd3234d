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
    "absent": _OBJECT, "hold": _FLAG,
}  # fmt: skip
_COUNT: Schema = {"type": "integer"}
_RULE_OR_REF: Schema = {"oneOf": [_TEXT, _OBJECT]}
_DECISION = {
    "rule": _OBJECT, "matches": _FLAG, "criteria": _LIST, "parameters": _OBJECT, "failure_reason": _TEXT,
    "outcome": {
        "type": "string",
        "enum": [
            "fired", "failed", "no_match", "disabled", "other_matched", "kept_back", "not_evaluated", "would_fire",
        ],
    },
    "enabled": _FLAG, "enforcement_id": _TEXT, "execution_id": _TEXT, "trigger_instance": _TEXT, "note": _TEXT,
}  # fmt: skip

_SILENCE: dict[str, Schema] = {
    "rule": _TEXT, "pack": _TEXT, "trigger": _TEXT, "reason": _TEXT, "until": _TEXT, "criteria": _OBJECT,
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
    "ExplainBody": _of(("rule",), rule=_RULE_OR_REF, instance=_TEXT, payload={}),
    "RuleDecision": _of(("outcome",), **_DECISION),
    "InstanceDecisions": _of(
        ("trigger_instance", "rules"), trigger_instance=_OBJECT, evaluated_at=_TIME, rules_left_out=_COUNT,
        rules={"type": "array", "items": _of(("outcome",), **_DECISION)},
    ),
    "BacktestBody": {
        "type": "object", "required": ["rule"],
        "properties": {"rule": _RULE_OR_REF, "from": _TIME, "to": _TIME, "limit": _COUNT},
    },
    "Backtest": _of(
        ("trigger", "evaluated"), trigger=_TEXT, compared_with=_TEXT, evaluated=_COUNT, would_fire=_COUNT,
        would_start=_COUNT, would_stop=_COUNT, unchanged=_COUNT, failed=_COUNT, oldest=_TEXT, newest=_TEXT,
        examples=_OBJECT,
    ),
    "RuleEnforcement": _of(
        ("id", "rule"), id=_TEXT, rule=_OBJECT, trigger_instance_id=_TEXT, execution_id=_TEXT, failure_reason=_TEXT,
        enforced_at=_TIME, trigger_instance=_OBJECT, execution=_OBJECT,
        status={"type": "string", "enum": ["succeeded", "failed"]}, explanation=_OBJECT,
    ),
    "HeldMatch": _of(
        ("id", "rule"), id=_TEXT, rule=_TEXT, trigger_instance_id=_TEXT, events={"type": "array", "items": _TEXT},
        held_at=_TIME,
    ),
    "HeldBody": _of(ids={"type": "array", "items": _TEXT}),
    "SilenceBody": _of(("reason", "until"), **_SILENCE),
    "Silence": _of(
        ("id", "author"),
        **{**_SILENCE, "until": _TIME},
        id=_TEXT, author=_TEXT, created_at=_TIME, count={"type": "integer"}, last_at=_TIME,
    ),
}  # fmt: skip
"""The schemas of bodies and documents."""
