"""Policies of retry: what failed is requested again, for good, in the transaction that ends it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.trace import TraceFilter

pytestmark = pytest.mark.anyio


async def retry(squall: Assembly, **parameters: Any) -> str:
    given = {"name": "again", "pack": "core", "resource_ref": "core.local", "policy_type": "action.retry"}
    made = await squall.policies.create({**given, "parameters": {"retry_on": "failure", **parameters}})
    return made.ref


async def everything(squall: Assembly) -> list[Execution]:
    found, _, _ = await squall.executions.find(ExecutionFilter(newest_first=False), None, 0, True)
    return found


async def fail(squall: Assembly, status: str = "failed") -> Execution:
    """Claims the one that is due and lets it fail."""
    ((task, execution, _),) = await squall.claim()
    await squall.finish(task, execution, status)
    return execution


async def test_what_failed_is_requested_again_with_the_same_parameters_until_the_count_is_reached(
    squall: Assembly,
) -> None:
    ref = await retry(squall, max_retry_count=2)
    await squall.request(parameters={"cmd": "exit 9", "password": "hidden"}, context={"foo": "bar"})
    ran = [await fail(squall) for _ in range(3)]
    assert await squall.claim() == []
    first, second, third = await everything(squall)
    assert [first.id, second.id, third.id] == [execution.id for execution in ran]
    assert first.context == {"foo": "bar", "user": "ada", "pack": "core"}
    applied = {"applied_policy": ref, "retry_count": 2, "retried_liveaction_id": second.id}
    assert third.context == {**first.context, "policies": {"retry": applied}}
    assert third.parameters == first.parameters
    assert (third.tree, third.attempt, third.parent) == (third.id, 1, None)
    assert {execution.status for execution in (first, second, third)} == {"failed"}


async def test_the_delay_is_a_queue_row(squall: Assembly) -> None:
    await retry(squall, delay=1.5)
    await squall.request()
    await fail(squall)
    _, again = await everything(squall)
    assert (again.status, again.delay) == ("delayed", 1500)
    assert await squall.claim() == []
    squall.clock.advance(1.5)
    assert (await fail(squall)).id == again.id


@pytest.mark.parametrize(
    ("retry_on", "status", "count"),
    [("failure", "timeout", 1), ("timeout", "timeout", 2), ("timeout", "failed", 1), ("failure", "abandoned", 2)],
)
async def test_only_what_the_policy_names_is_tried_again(
    squall: Assembly, retry_on: str, status: str, count: int
) -> None:
    await retry(squall, retry_on=retry_on)
    await squall.request()
    await fail(squall, status)
    assert len(await everything(squall)) == count


async def test_what_was_canceled_or_belongs_to_a_workflow_is_not_tried_again(squall: Assembly) -> None:
    await retry(squall)
    parent = await squall.request("core.greet", parameters={"who": "x"})
    await squall.claim()
    child = await squall.child_of(parent)
    assert (await fail(squall)).id == child.id
    canceled = await squall.request()
    ((task, execution, _),) = await squall.claim()
    await squall.control.cancel(canceled.id, "ada")
    await squall.finish(task, execution, "failed")
    assert len(await everything(squall)) == 3


async def test_a_disabled_policy_retries_nothing(squall: Assembly) -> None:
    ref = await retry(squall)
    given = {"name": "again", "pack": "core", "resource_ref": "core.local", "policy_type": "action.retry"}
    await squall.policies.update(ref, {**given, "enabled": False, "parameters": {"retry_on": "failure"}})
    await squall.request()
    await fail(squall)
    assert len(await everything(squall)) == 1


@pytest.mark.parametrize(
    "context", [{"policies": 7}, {"policies": {"retry": []}}, {"policies": {"retry": {"retry_count": "x"}}}]
)
async def test_a_clients_context_may_hold_anything(squall: Assembly, context: dict[str, Any]) -> None:
    await retry(squall, max_retry_count=1)
    await squall.request(context=context)
    await fail(squall)
    await fail(squall)
    assert len(await everything(squall)) == 2


async def test_a_retry_takes_its_place_in_line(squall: Assembly) -> None:
    await retry(squall)
    limit = {"name": "limit", "pack": "core", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    await squall.policies.create({**limit, "parameters": {"threshold": 1}})
    await squall.request()
    second = await squall.request()
    await fail(squall)
    assert (await fail(squall)).id == second.id


async def test_a_retry_is_part_of_the_same_trace(squall: Assembly) -> None:
    await retry(squall)
    made = await squall.request()
    await fail(squall)
    _, again = await everything(squall)
    ((trace,), _) = await squall.traces.find(TraceFilter(), None, 0, 100)
    assert {part.object_id for part in trace.parts} == {made.id, again.id}
