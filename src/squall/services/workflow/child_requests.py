"""The requests that a workflow makes: the executions of its tasks."""

from __future__ import annotations

from typing import Any

from squall.core.workflow.conducting.engine import RunAction
from squall.services.execution.executions import Request
from squall.services.workflow.run import Run


def child_request(run: Run, command: RunAction, notify: dict[str, Any]) -> Request:
    """The request for a child of a workflow. Its parameters have been rendered, and are not rendered again.

    The `notify` of its own action is not used, as in StackStorm.
    """
    execution = run.execution
    own = execution.context
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
        name: own[name] for name in ("trace_context", "source_channel", "api_user") if name in own
    }
    parent = {"execution_id": execution.id, "user": execution.user, "pack": own.get("pack"), **inherited}
    return Request(
        action=command.action,
        parameters=command.input,
        user=execution.user,
        context={**inherited, "parent": parent, "orquesta": orquesta},
        delay=command.delay or None,
        notify=notify,
        plain=frozenset(command.input),
    )
