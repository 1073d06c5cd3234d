"""The JSON Schemas and query parameters of triggers and rules, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from squall.core.event.webhooks.records import VERDICTS
from squall.core.event.webhooks.signatures import presets

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_LIST: Schema = {"type": "array"}
_COUNT: Schema = {"type": "integer"}
_VERDICT: Schema = {"type": "string", "enum": list(VERDICTS)}
_PRESET: Schema = {"anyOf": [{"type": "string", "enum": sorted(presets())}, {"type": "null"}]}
_WHOLE: Schema = {"type": "integer"}


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
_RULE_OR_REF: Schema = {"oneOf": [_TEXT, _OBJECT]}
_DECISION = {
    "rule": _OBJECT, "matches": _FLAG, "criteria": _LIST, "parameters": _OBJECT, "failure_reason": _TEXT,
    "outcome": {
        "type": "string",
        "enum": [
            "fired", "failed", "no_match", "disabled", "other_matched", "kept_back", "not_evaluated", "would_fire",
            "would_wait",
        ],
    },
    "enabled": _FLAG, "enforcement_id": _TEXT, "execution_id": _TEXT, "trigger_instance": _TEXT, "reason": _TEXT,
    "note": _TEXT,
}  # fmt: skip

_SILENCE: dict[str, Schema] = {
    "rule": _TEXT, "pack": _TEXT, "trigger": _TEXT, "reason": _TEXT, "until": _TEXT, "criteria": _OBJECT,
}  # fmt: skip

_SETTINGS: dict[str, Schema] = {
    "preset": _PRESET, "secrets": {"type": "array", "items": _TEXT, "maxItems": 2}, "drop_duplicates": _FLAG,
}  # fmt: skip
_OUTCOME = _of(
    ("trigger_instance", "enforcements", "executions"), delivery=_TEXT, verdict=_VERDICT,
    trigger_instance=_of(("id", "status"), id=_TEXT, status=_TEXT), is_complete=_FLAG, enforcements=_LIST,
    kept_back=_LIST, executions={
        "type": "array", "items": _of(("id", "stream_url"), id=_TEXT, action=_TEXT, status=_TEXT, stream_url=_TEXT),
    },
)  # fmt: skip

_FIRE = {"at": _TIME, "local": _TIME, "note": _TEXT}

EVENT_QUERY: dict[str, tuple[Schema, str]] = {
    "count of fires": (_WHOLE, "number of fires"),
    "enabled": (_FLAG, "only enabled, or only disabled ones"),
    "enforced_at_gt": (_TIME, "only what was enforced after this time"),
    "enforced_at_lt": (_TIME, "only what was enforced before this time"),
    "rule_id": (_TEXT, "a rule's id"),
    "rule_ref": (_TEXT, "a rule's ref"),
    "trigger": (_TEXT, "a trigger's ref"),
    "timer_type": (_TEXT, "core.st2.IntervalTimer, core.st2.DateTimer or core.st2.CronTimer"),
    "trigger_type": (_TEXT, "a trigger type's ref"),
    "type": (_TEXT, "a trigger type's ref"),
    "verdict": ({"type": "string", "enum": list(VERDICTS)}, "only deliveries with this verdict"),
    "wait": (
        {"type": "integer", "minimum": 0, "maximum": 60},
        "answer when the rules are evaluated, after at most so many seconds, with enforcements and executions",
    ),
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
    "Timer": _of(
        ("id", "ref", "type"), **_TRIGGER, next_fire_at=_TIME, last_fire_at=_TIME, paused=_OBJECT, missed_fires=_WHOLE,
        rules=_LIST,
    ),
    "Fires": _of(("fires",), fires={"type": "array", "items": _of(("at",), **_FIRE)}, reason=_TEXT),
    "MissedFire": _of(("at", "reason"), at=_TIME, last=_TIME, fires=_WHOLE, reason=_TEXT, recorded_at=_TIME),
    "PauseBody": _of((), reason=_TEXT, until=_TIME),
    "BackfillBody": _of(("from", "to"), **{"from": _TIME, "to": _TIME, "limit": _WHOLE, "dry_run": _FLAG}),
    "Backfill": _of(
        ("fires",), dry_run=_FLAG,
        fires={"type": "array", "items": _of(("at",), **_FIRE, result=_TEXT, trigger_instance_id=_TEXT)},
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
        ("trigger", "evaluated"), trigger=_TEXT, trigger_type=_TEXT, trigger_parameters=_OBJECT,
        compared_with=_TEXT, note=_TEXT, evaluated=_COUNT, would_fire=_COUNT, kept_back=_COUNT,
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
    "WebhookSettings": _of(("url", "preset", "secrets"), url=_TEXT, **_SETTINGS, user=_TEXT, updated_at=_TIME),
    "WebhookSettingsBody": _of((), **_SETTINGS),
    "WebhookDelivery": _of(
        ("id", "url", "verdict"), id=_TEXT, url=_TEXT, received_at=_TIME, verdict=_VERDICT, reason=_TEXT,
        delivery_id=_TEXT, trigger_instance=_TEXT, user=_TEXT, remote=_TEXT, size=_COUNT, replay_of=_TEXT,
        headers=_LIST, body=_TEXT, body_b64=_TEXT, is_complete=_FLAG, executions=_LIST,
    ),
    "WebhookOutcome": _OUTCOME,
    # Without `wait`, the body of the request.
    "WebhookAnswer": {"anyOf": [_OUTCOME, _OBJECT, _LIST]},
    "ReplayBody": _of(force=_FLAG),
}  # fmt: skip
"""The schemas of bodies and documents."""
