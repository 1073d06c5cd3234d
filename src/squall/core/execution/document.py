"""The execution as the API shows it: StackStorm's document, built from the row and its request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS, Action, RunnerType
from squall.core.content.shown import action_document, runner_document
from squall.core.errors import InvalidError
from squall.core.execution.execution import COMPLETED_AS, WORKER, Execution
from squall.core.timestamp import to_iso

FIELDS = frozenset(
    {"id", "action", "runner", "liveaction", "status", "start_timestamp", "end_timestamp", "elapsed_seconds"}
    | {"parameters", "result", "result_size", "context", "parent", "children", "log", "delay", "web_url"}
    | {
        "workflow_execution",
        "task_execution",
        "trigger",
        "trigger_type",
        "trigger_instance",
        "rule",
        "waiting",
        "waiting_for",
        "usage",
    }
)
"""Every attribute an execution's document may have."""

ALWAYS_IN_PACKS = ("ref", "id")
"""The attributes that every document of a resource in a pack has, even if a client requests others."""

EXCLUDABLE = frozenset({"result", "trigger_instance", "status"})
"""The attributes that a client may leave out of executions."""

_ALWAYS = {"action": ("uid", "ref", "pack", "parameters", "output_schema")}


def execution_document(
    execution: Execution, action: Action, runner: RunnerType, children: Sequence[str], web_url: str
) -> dict[str, Any]:
    """Returns the whole document, with sealed values in it. Leaves out attributes without a value."""
    parameters = execution.parameters
    execution = with_visible_result(execution)
    document: dict[str, Any] = {
        "action": action_document(action, runner),
        "runner": runner_document(runner),
        "liveaction": {
            "action": execution.action,
            "action_is_workflow": execution.runner in WORKFLOW_RUNNERS,
            "parameters": parameters,
            "callback": {},
            "runner_info": _worker(execution),
            **({"notify": execution.notify} if execution.notify else {}),
            "id": execution.id,
        },
        "status": execution.status,
        "start_timestamp": to_iso(execution.start),
        "end_timestamp": to_iso(execution.end) if execution.end is not None else None,
        "parameters": parameters or None,
        "result_size": execution.result_size or None,
        "context": execution.context or None,
        "workflow_execution": _orquesta(execution).get("workflow_execution_id"),
        "task_execution": _orquesta(execution).get("task_execution_id"),
        "parent": execution.parent,
        "children": list(children) or None,
        "delay": execution.delay,
        "log": [{"timestamp": to_iso(entry.at), "status": entry.status} for entry in execution.log],
        "web_url": f"{web_url}/#/history/{execution.id}/general",
        "id": execution.id,
        "result": execution.result,
        "usage": {key: value for key, value in execution.runner_info.items() if key not in WORKER} or None,
        "elapsed_seconds": (execution.end - execution.start) / 1e6 if execution.end is not None else None,
    }
    return {key: value for key, value in document.items() if value is not None}


def with_visible_result(execution: Execution) -> Execution:
    """Returns the execution as clients may see it: without a result while a completion by a client waits for the
    process to stop. A cancel can still come first, and then the execution never has the completion's result."""
    if COMPLETED_AS not in execution.context:
        return execution
    return msgspec.structs.replace(execution, result=None, result_size=0)


def _orquesta(execution: Execution) -> dict[str, Any]:
    """Returns the workflow's entry in the context of its child; empty for any other execution, whatever its context
    holds."""
    entry = execution.context.get("orquesta")
    return entry if isinstance(entry, dict) else {}


def _worker(execution: Execution) -> dict[str, Any]:
    return {key: value for key, value in execution.runner_info.items() if key in WORKER}


def liveaction_document(execution: Execution) -> dict[str, Any]:
    """Returns the document of StackStorm's liveaction events. Its result is a JSON text, and empty until the end."""
    return {
        "status": execution.status,
        "start_timestamp": to_iso(execution.start),
        "action": execution.action,
        "action_is_workflow": execution.runner in WORKFLOW_RUNNERS,
        "parameters": execution.parameters,
        "context": execution.context,
        "callback": {},
        "runner_info": _worker(execution),
        **({"notify": execution.notify} if execution.notify else {}),
        "id": execution.id,
        "result": "{}",
    }


def select(
    document: dict[str, Any],
    include: Sequence[str] | None,
    exclude: Sequence[str] | None,
    always: Sequence[str] = ("id",),
) -> dict[str, Any]:
    """Returns the document with only the attributes in `include` (dotted paths), or without those in `exclude`.

    `usage`, which StackStorm does not know, is only there if `include` names it. The attributes in `always` stay. If
    `include` names a part of `action`, the fields that clients need to mask it stay too, as recorded of StackStorm.
    """
    if not include:
        return {key: value for key, value in document.items() if key != "usage" and key not in (exclude or ())}
    selected: dict[str, Any] = {}
    for path in include:
        _copy(document, selected, path.split("."))
        top = path.partition(".")[0]
        for key in _ALWAYS.get(top, ()):
            _copy(document, selected, [top, key])
    return selected | {name: document[name] for name in always if name in document}


def _copy(source: Any, target: dict[str, Any], path: Sequence[str]) -> None:
    key = path[0]
    if not isinstance(source, dict) or key not in source:
        return
    if len(path) == 1:
        target[key] = source[key]
        return
    inner = target.get(key)
    if inner is source[key] and inner is not None:
        return
    if not isinstance(inner, dict):
        inner = target[key] = {}
    _copy(source[key], inner, path[1:])


def check_attributes(
    include: Sequence[str] | None, exclude: Sequence[str] | None, known: frozenset[str], excludable: frozenset[str]
) -> None:
    """Raises `InvalidError`, in StackStorm's words, for attributes that do not exist or may not be left out."""
    if include and exclude:
        raise InvalidError(
            "exclude_fields and include_fields arguments are mutually exclusive. "
            "You need to provide either one or another, but not both."
        )
    for path in include or ():
        if path.partition(".")[0] not in known:
            raise InvalidError(f"Invalid or unsupported include attribute specified: {path}")
    for path in exclude or ():
        if path not in excludable:
            raise InvalidError(f"Invalid or unsupported exclude attribute specified: {path}")
