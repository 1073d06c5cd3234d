"""Traces: the trigger instances, rules and executions that led to each other. Documents and fields are StackStorm's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
    """One object of a trace: its kind, id and ref, the kind and id of its cause (empty if it has none), and its time
    (µs)."""

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
    """The filter and order of a list of traces: by id, by tag (`names`: any of these tags), or by an object in them.
    The object `null` selects traces without any object of its kind. `order` names `id` or `tag`, each with a flag for
    descending order; then `newest_first` orders by start."""

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
        """(kind, id) of each object that a trace must contain."""
        return [(kind, value) for kind, value in self._requested() if value.lower() != _MISSING]

    @property
    def lacking(self) -> list[str]:
        """The kinds of objects that a trace must not contain."""
        return [kind for kind, value in self._requested() if value.lower() == _MISSING]

    def _requested(self) -> list[tuple[str, str]]:
        values = ((EXECUTION, self.execution), (RULE, self.rule), (TRIGGER_INSTANCE, self.trigger_instance))
        return [(kind, value) for kind, value in values if value is not None]


def execution_part(execution: Execution) -> TracePart:
    """Returns an execution as a part of a trace. Its cause is its parent, or a rule and the trigger instance that it
    matched."""
    cause_kind, cause_id = "", ""
    rule, instance = execution.context.get("rule"), execution.context.get("trigger_instance")
    if execution.parent is not None:
        cause_kind, cause_id = EXECUTION, execution.parent
    elif isinstance(rule, dict) and isinstance(instance, dict):
        cause_kind, cause_id = RULE, f"{rule.get('id')}:{instance.get('id')}"
    return TracePart(EXECUTION, execution.id, execution.action, cause_kind, cause_id, execution.start)


def rule_depth(context: Mapping[str, Any]) -> int:
    """Returns the number of rules that led to an execution one after the other, from its context."""
    reference = context.get("trace_context")
    depth = reference.get("depth") if isinstance(reference, dict) else None
    return depth if isinstance(depth, int) and depth > 0 else 0


def with_depth(context: dict[str, Any], depth: int) -> dict[str, Any]:
    """Returns the context with this number of rules, which only the server sets; without one if `depth` is 0."""
    reference = context.get("trace_context")
    if reference is None and not depth:
        return context
    if reference is not None and not isinstance(reference, dict):
        return context
    rest = {name: value for name, value in (reference or {}).items() if name != "depth"}
    return {**context, "trace_context": {**rest, "depth": depth} if depth else rest}


def document(trace: Trace) -> dict[str, Any]:
    """Returns the trace as the API shows it."""
    fields: dict[str, Any] = {
        "uid": f"trace:{hashlib.sha256(f'{trace.tag}:{trace.id}'.encode()).hexdigest()[:32]}",
        "trace_tag": trace.tag,
    }
    for name, kind in _LISTS.items():
        fields[name] = [_part(part) for part in trace.parts if part.kind == kind]
    return {**fields, "start_timestamp": to_iso(trace.start), "id": trace.id}


def _part(part: TracePart) -> dict[str, Any]:
    cause = {"type": part.cause_kind, "id": part.cause_id} if part.cause_kind else {}
    return {"object_id": part.object_id, "ref": part.ref, "updated_at": to_iso(part.at), "caused_by": cause}
