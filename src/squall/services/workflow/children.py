"""Requests the executions of a workflow's tasks, and passes requests of clients on to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.workflow.conducting.engine import RunAction
from squall.ports import Tx
from squall.services.execution.executions import Request
from squall.services.execution.transitions import Transitions
from squall.services.workflow.run import Run

_CANCELABLE = (ex.REQUESTED, ex.DELAYED, ex.SCHEDULED, ex.RUNNING, ex.PAUSING, ex.PAUSED, ex.RESUMING)


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


async def pass_on(tx: Tx, transitions: Transitions, execution: Execution, requested: set[str], now: int) -> None:
    """Passes requested statuses (`canceling`, `pausing`, `resuming`) on to the workflow's children. Only workflows
    among them pause."""
    if ex.CANCELING in requested:
        for child in await _children(tx, execution, _CANCELABLE):
            await transitions.stop(tx, child, execution.context.get("cancelled_by", execution.user), now)
    if ex.PAUSING in requested:
        for child in await _children(tx, execution, (ex.RUNNING, ex.RESUMING)):
            if child.runner in WORKFLOW_RUNNERS:
                await transitions.move(tx, child, ex.PAUSING, now)
    if ex.RESUMING in requested:
        for child in await _children(tx, execution, (ex.PAUSED,)):
            await transitions.move(tx, child, ex.RESUMING, now)


async def canceler(tx: Tx, execution: Execution) -> str:
    """Returns the user who canceled the workflow, or the task execution whose cancel ends the workflow."""
    for each in (execution, *await _children(tx, execution, (ex.CANCELING, ex.CANCELED))):
        if (user := each.context.get("cancelled_by")) is not None:
            return str(user)
    return execution.user


async def _children(tx: Tx, execution: Execution, statuses: Sequence[str]) -> list[Execution]:
    children: list[Execution] = []
    for status in statuses:
        children += await tx.executions.find(ExecutionFilter(parent=execution.id, status=status), None, 0, False)
    return children
