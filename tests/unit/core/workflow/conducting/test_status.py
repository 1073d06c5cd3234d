"""The rules by which statuses follow from each other."""

from __future__ import annotations

import pytest

from squall.core.workflow.conducting.status import (
    Items,
    Tasks,
    after_action,
    after_item,
    after_request,
    after_stop,
    after_task,
)

IDLE = Tasks(False, False, False, False)
BUSY = Tasks(True, False, False, False)
NONE = Items(False, False, False, False, False)


@pytest.mark.parametrize(
    ("workflow", "task", "remediated", "tasks", "then"),
    [
        ("running", "succeeded", False, IDLE, "succeeded"),
        ("running", "succeeded", False, BUSY, "running"),
        ("running", "succeeded", False, IDLE._replace(waiting=True), "running"),
        ("running", "failed", False, BUSY, "failed"),
        ("running", "failed", True, IDLE, "succeeded"),
        ("running", "pending", False, IDLE, "paused"),
        ("running", "pending", False, BUSY, "pausing"),
        ("running", "paused", False, BUSY, "running"),
        ("running", "paused", False, IDLE, "paused"),
        ("running", "canceled", False, BUSY, "canceling"),
        ("running", "canceled", False, IDLE, "canceled"),
        ("running", "succeeded", False, IDLE._replace(paused=True), "paused"),
        ("running", "succeeded", False, IDLE._replace(canceled=True), "canceled"),
        ("pausing", "succeeded", False, BUSY, "pausing"),
        ("pausing", "succeeded", False, IDLE, "paused"),
        ("pausing", "retrying", False, IDLE, "paused"),
        ("paused", "running", False, BUSY, "running"),
        ("canceling", "failed", False, IDLE, "canceled"),
        ("canceling", "succeeded", False, BUSY, "canceling"),
        ("failed", "succeeded", False, IDLE, "failed"),
        ("succeeded", "failed", False, IDLE, "succeeded"),
    ],
)
def test_a_workflow_follows_its_tasks(workflow: str, task: str, remediated: bool, tasks: Tasks, then: str) -> None:
    assert after_task(workflow, task, remediated, tasks) == then


@pytest.mark.parametrize(
    ("workflow", "asked", "tasks", "then"),
    [
        ("running", "pausing", BUSY, "pausing"),
        ("running", "pausing", IDLE, "paused"),
        ("paused", "resuming", IDLE, "succeeded"),
        ("paused", "resuming", IDLE._replace(waiting=True), "resuming"),
        ("running", "canceling", BUSY, "canceling"),
        ("paused", "canceling", IDLE, "canceled"),
        ("succeeded", "canceling", IDLE, "succeeded"),
        ("succeeded", "failed", IDLE, "failed"),
        ("canceled", "failed", IDLE, "canceled"),
        ("canceling", "running", IDLE, "canceling"),
    ],
)
def test_a_workflow_does_what_it_is_asked(workflow: str, asked: str, tasks: Tasks, then: str) -> None:
    assert after_request(workflow, asked, tasks) == then


@pytest.mark.parametrize(
    ("task", "action", "then"),
    [
        ("running", "timeout", "failed"),
        ("running", "abandoned", "failed"),
        ("running", "pending", "pending"),
        ("succeeded", "failed", "succeeded"),
        ("canceling", "succeeded", "canceled"),
        ("running", "scheduled", "running"),
    ],
)
def test_a_task_follows_its_action(task: str, action: str, then: str) -> None:
    assert after_action(task, action) == then


@pytest.mark.parametrize(
    ("task", "action", "others", "then"),
    [
        ("running", "succeeded", NONE, "succeeded"),
        ("running", "succeeded", NONE._replace(failed=True), "failed"),
        ("running", "succeeded", NONE._replace(incomplete=True), "running"),
        ("running", "failed", NONE._replace(active=True, incomplete=True), "running"),
        ("running", "failed", NONE, "failed"),
        ("running", "failed", NONE._replace(canceled=True), "canceled"),
        ("running", "paused", NONE._replace(active=True), "pausing"),
        ("running", "succeeded", NONE._replace(paused=True), "paused"),
        ("running", "canceled", NONE._replace(active=True), "canceling"),
        ("pausing", "succeeded", NONE._replace(incomplete=True), "paused"),
        ("canceling", "succeeded", NONE._replace(incomplete=True), "canceled"),
        ("canceling", "succeeded", NONE, "succeeded"),
        ("paused", "running", NONE, "running"),
    ],
)
def test_a_task_follows_its_items(task: str, action: str, others: Items, then: str) -> None:
    assert after_item(task, action, others) == then


def test_a_task_with_items_to_start_stops_with_its_workflow() -> None:
    assert after_stop("running", "pausing", NONE._replace(incomplete=True)) == "paused"
    assert after_stop("running", "canceling", NONE._replace(incomplete=True, active=True)) == "canceling"
    assert after_stop("running", "pausing", NONE) == "running"
