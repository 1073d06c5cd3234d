"""Builds the requests for the executions of a workflow's tasks."""

from __future__ import annotations

from typing import Any

from squall.core.workflow.conducting.engine import RunAction
from squall.services.execution.executions import Request
from squall.services.workflow.run import Run


def child_request(run: Run, command: RunAction, notify: dict[str, Any]) -> Request:
    """Returns the request for a child of a workflow. Its parameters are rendered already and not rendered again.

    As in StackStorm, the `notify` section of the child's action is not used.
    """
    execution = run.execution
    context = execution.context
    orquesta: dict[str, Any] = {
        "workflow_execution_id": run.record.workflow if run.record is not None else "",
        "task_execution_id": command.task_execution,
        "task_name": command.task,
        "task_id": command.task,
        "task_route": command.route,
    }
    if command.item is not None:
        orquesta["item_id"] = command.item
    inherited: dict[str, Any] = {
        name: context[name] for name in ("trace_context", "source_channel", "api_user") if name in context
    }
    parent = {"execution_id": execution.id, "user": execution.user, "pack": context.get("pack"), **inherited}
    return Request(
        action=command.action,
        parameters=command.input,
        user=execution.user,
        context={**inherited, "parent": parent, "orquesta": orquesta},
        delay=command.delay or None,
        notify=notify,
        plain=frozenset(command.input),
    )
