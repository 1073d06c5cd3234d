"""The statuses of tasks and workflows, and the rules for their changes.

The rules are Orquesta's. A task is `retrying` between two attempts; all other names are those of executions.
"""

from __future__ import annotations

from typing import NamedTuple

from squall.core.execution.execution import (
    ABANDONED,
    CANCELED,
    CANCELING,
    DELAYED,
    FAILED,
    PAUSED,
    PAUSING,
    PENDING,
    REQUESTED,
    RESUMING,
    RUNNING,
    SCHEDULED,
    SUCCEEDED,
    TIMEOUT,
)

__all__ = [
    "ABANDONED", "ABENDED", "ACTIVE", "CANCELED", "CANCELING", "DELAYED", "FAILED", "FINAL", "GOING", "PAUSED",
    "PAUSING", "PENDING", "REQUESTED", "RESUMING", "RETRYING", "RUNNING", "SCHEDULED", "SUCCEEDED", "TIMEOUT", "UNSET",
    "Items", "Tasks", "after_action", "after_item", "after_request", "after_stop", "after_task",
]  # fmt: skip

RETRYING = "retrying"
UNSET = "null"

ABENDED = frozenset({FAILED, TIMEOUT, ABANDONED})
FINAL = ABENDED | {SUCCEEDED, CANCELED}
GOING = frozenset({REQUESTED, SCHEDULED, DELAYED, RUNNING, RESUMING, RETRYING})
ACTIVE = frozenset({REQUESTED, SCHEDULED, DELAYED, RUNNING, RESUMING, PAUSING, CANCELING})
_STOPPABLE = frozenset({RUNNING, PAUSING, RESUMING})


class Tasks(NamedTuple):
    """The sum of the statuses of a workflow's tasks: true if some are active, paused (or pausing, or pending), canceled
    (or canceling), or waiting to be started."""

    active: bool
    paused: bool
    canceled: bool
    waiting: bool


class Items(NamedTuple):
    """The sum of the statuses of a task's other items: each field is true if some items are in that state."""

    active: bool
    paused: bool
    canceled: bool
    failed: bool
    incomplete: bool


def after_task(workflow: str, task: str, remediated: bool, tasks: Tasks) -> str:
    """Returns the workflow's status after a task took the status `task`. `remediated`: it failed and a task follows."""
    if task in (RUNNING, RESUMING):
        return RUNNING if workflow == PAUSED or (workflow == RESUMING and task == RUNNING) else workflow
    if task in (PENDING, PAUSED, RETRYING):
        return _after_rest(workflow, task, tasks.active)
    if task in (CANCELING, CANCELED):
        if workflow not in _STOPPABLE | {CANCELING}:
            return workflow
        return CANCELING if task == CANCELING or tasks.active else CANCELED
    if task in ABENDED and not remediated:
        if workflow == CANCELING:
            return CANCELING if tasks.active else CANCELED
        return FAILED if workflow in _STOPPABLE else workflow
    if task in FINAL:
        return _after_success(workflow, remediated, tasks)
    return workflow


def _after_rest(workflow: str, task: str, active: bool) -> str:
    if workflow == CANCELING:
        return CANCELING if active else CANCELED
    if workflow == PAUSING or (task == PENDING and workflow in (RUNNING, RESUMING)):
        return PAUSING if active else PAUSED
    if task == PAUSED and workflow == RUNNING:
        return RUNNING if active else PAUSED
    return workflow


def _after_success(workflow: str, remediated: bool, tasks: Tasks) -> str:
    if workflow == CANCELING:
        return CANCELING if tasks.active else CANCELED
    if workflow == PAUSING:
        if tasks.canceled and (remediated or not tasks.active):
            return CANCELING if tasks.active else CANCELED
        return PAUSING if tasks.active else PAUSED
    if workflow not in (RUNNING, RESUMING):
        return workflow
    if tasks.canceled:
        return CANCELED if not tasks.active else (CANCELING if workflow == RUNNING else workflow)
    if tasks.paused:
        return PAUSED if not tasks.active else (PAUSING if workflow == RUNNING else workflow)
    return RUNNING if tasks.active or tasks.waiting else SUCCEEDED


def after_request(workflow: str, requested: str, tasks: Tasks) -> str:
    """Returns the workflow's status after a user, or the engine, requested the status `requested`."""
    if requested in (PAUSING, PAUSED):
        if workflow in _STOPPABLE:
            return PAUSING if tasks.active else PAUSED
        return PAUSED if workflow in (REQUESTED, SCHEDULED, DELAYED) else workflow
    if requested in (CANCELING, CANCELED):
        if workflow in FINAL:
            return workflow
        return CANCELING if tasks.active else CANCELED
    if requested in (RUNNING, RESUMING):
        if workflow == PAUSED and not (tasks.active or tasks.waiting or tasks.paused):
            return SUCCEEDED
        return workflow if workflow in FINAL | {CANCELING} else requested
    if requested == FAILED:
        return FAILED if workflow not in FINAL or workflow == SUCCEEDED else workflow
    return workflow


def after_action(task: str, action: str) -> str:
    """Returns a task's status after its only action took the status `action`."""
    if task in FINAL:
        return task
    if task == CANCELING and action not in (CANCELED, FAILED, TIMEOUT, ABANDONED, PAUSED, SUCCEEDED):
        return task
    if task == CANCELING and action in (PAUSED, SUCCEEDED):
        return CANCELED
    if action in (REQUESTED, SCHEDULED, DELAYED):
        return task
    return FAILED if action in ABENDED else action


def after_item(task: str, action: str, others: Items) -> str:
    """Returns a task's status after one of its items took the status `action`; `others` are its other items."""
    if task in FINAL:
        return task
    if action in (RUNNING, RESUMING):
        return RUNNING if task in (PAUSED, RESUMING, RETRYING, RUNNING, UNSET) else task
    if action not in FINAL | {PENDING, PAUSED}:
        return task
    if others.active:
        if task != RUNNING:
            return task
        return {PENDING: PAUSING, PAUSED: PAUSING, CANCELED: CANCELING}.get(action, RUNNING)
    if task == CANCELING:
        others_succeeded = not (others.paused or others.canceled or others.failed or others.incomplete)
        return SUCCEEDED if action == SUCCEEDED and others_succeeded else CANCELED
    if action == CANCELED or (others.canceled and not others.paused):
        return CANCELED
    if action in ABENDED:
        return FAILED
    if others.paused:
        return PAUSED
    if others.failed:
        return FAILED
    if action in (PENDING, PAUSED):
        return PAUSED
    if others.incomplete:
        return PAUSED if task == PAUSING else RUNNING
    return SUCCEEDED


def after_stop(task: str, requested: str, others: Items) -> str:
    """Returns the status of a task with items after a request to pause or cancel its workflow."""
    if task != RUNNING or not others.incomplete:
        return task
    if requested in (PAUSING, PAUSED):
        return PAUSING if others.active else PAUSED
    if requested in (CANCELING, CANCELED):
        return CANCELING if others.active else CANCELED
    return task
