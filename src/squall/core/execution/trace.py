"""Traces: which trigger instances, rules and executions led to each other. Documents and fields are StackStorm's."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from squall.core.execution.execution import Execution
from squall.core.timestamp import to_iso

EXECUTION = "action_execution"
RULE = "rule"
TRIGGER_INSTANCE = "trigger_instance"
TRACE_FIELDS = frozenset(
    {"id", "uid", "trace_tag", "start_timestamp", "trigger_instances", "rules", "action_executions"}
)
"""Every attribute a trace's document may have."""

_MISSING = "null"
_LISTS = {"trigger_instances": TRIGGER_INSTANCE, "rules": RULE, "action_executions": EXECUTION}


class TracePart(msgspec.Struct, frozen=True):
    """One object of a trace: its kind, id and ref, what caused it (empty if nothing did), and when (µs)."""

    kind: str
    object_id: str
    ref: str
    cause_kind: str
    cause_id: str
    at: int


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One trace; `start` is in µs. Several may have the same tag."""

    id: str
    tag: str
    start: int
    parts: tuple[TracePart, ...] = ()


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces a list asks for: by id, by tag (`names`: any of these tags), or by an object that is part of them;
    the object `null` asks for those without any of its kind. `order` names `id` or `tag`, each with whether it
    descends; behind them `newest_first` is the order of the start."""

    ids: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    tag: str | None = None
    execution: str | None = None
    rule: str | None = None
    trigger_instance: str | None = None
    order: tuple[tuple[str, bool], ...] = ()
    newest_first: bool = True

    @property
    def objects(self) -> list[tuple[str, str]]:
        """(kind, id) of each object that is asked for."""
        return [(kind, value) for kind, value in self._asked() if value.lower() != _MISSING]

    @property
    def lacking(self) -> list[str]:
        """The kinds of which no object may be part of a trace."""
        return [kind for kind, value in self._asked() if value.lower() == _MISSING]

    def _asked(self) -> list[tuple[str, str]]:
        values = ((EXECUTION, self.execution), (RULE, self.rule), (TRIGGER_INSTANCE, self.trigger_instance))
        return [(kind, value) for kind, value in values if value is not None]


def execution_part(execution: Execution) -> TracePart:
    """The part an execution is: caused by its parent, or by a rule and the trigger instance that it matched."""
    cause_kind, cause_id = "", ""
    rule, instance = execution.context.get("rule"), execution.context.get("trigger_instance")
    if execution.parent is not None:
        cause_kind, cause_id = EXECUTION, execution.parent
    elif isinstance(rule, dict) and isinstance(instance, dict):
        cause_kind, cause_id = RULE, f"{rule.get('id')}:{instance.get('id')}"
    return TracePart(EXECUTION, execution.id, execution.action, cause_kind, cause_id, execution.start)


def document(trace: Trace) -> dict[str, Any]:
    """The trace as the API shows it."""
    shown: dict[str, Any] = {
        "uid": f"trace:{hashlib.sha256(f'{trace.tag}:{trace.id}'.encode()).hexdigest()[:32]}",
        "trace_tag": trace.tag,
    }
    for name, kind in _LISTS.items():
        shown[name] = [_part(part) for part in trace.parts if part.kind == kind]
    return {**shown, "start_timestamp": to_iso(trace.start), "id": trace.id}


def _part(part: TracePart) -> dict[str, Any]:
    cause = {"type": part.cause_kind, "id": part.cause_id} if part.cause_kind else {}
    return {"object_id": part.object_id, "ref": part.ref, "updated_at": to_iso(part.at), "caused_by": cause}
