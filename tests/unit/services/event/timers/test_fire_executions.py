"""The executions that fires start are known until they end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.unit.services.event.timers.conftest import Bench

from squall.core.event.rules.records import Trigger
from squall.core.execution import execution as ex
from squall.core.execution.policy import Policy
from squall.services.execution.executions import Request
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio


async def executions(bench: Bench, trigger: Trigger) -> Sequence[str]:
    return await bench.squall.store.read(lambda tx: tx.fires.executions(trigger.id))


async def test_an_execution_of_a_fire_is_known_until_it_ends(bench: Bench) -> None:
    trigger = await bench.timer(overlap="skip")
    await bench.after(60)
    (execution,) = await bench.evaluate()
    assert await executions(bench, trigger) == [execution.id]
    (claimed,) = await bench.squall.claim()
    await bench.squall.finish(claimed.task, claimed.execution)
    assert await executions(bench, trigger) == []


async def test_an_execution_that_is_canceled_before_it_starts_has_ended(bench: Bench) -> None:
    trigger = await bench.timer(overlap="skip")
    await bench.after(60)
    (execution,) = await bench.evaluate()
    await bench.squall.control.cancel(execution.id, "ada")
    assert await executions(bench, trigger) == []


async def test_the_retry_of_a_failed_execution_counts(bench: Bench) -> None:
    trigger = await bench.timer(overlap="skip")
    policy = Policy(
        id=sample_id(7), uid="policy:core:again", ref="core.again", pack="core", name="again",
        resource_ref="core.local", policy_type="action.retry", parameters={"retry_on": "failure", "max_retry_count": 1},
    )  # fmt: skip
    await bench.squall.store.tx(lambda tx: tx.policies.put(policy))
    await bench.after(60)
    (execution,) = await bench.evaluate()
    (claimed,) = await bench.squall.claim()
    await bench.squall.finish(claimed.task, claimed.execution, ex.FAILED)
    (retry,) = await executions(bench, trigger)
    assert retry != execution.id
    await bench.after(60)
    assert await bench.fires() == [60]


async def test_executions_of_people_of_other_events_and_of_overlapping_timers_are_not_noted(bench: Bench) -> None:
    trigger = await bench.timer()
    await bench.after(60)
    await bench.evaluate()
    for context in ({}, {"trigger_instance": None}, {"trigger_instance": {"id": 7}}, {"trigger_instance": {"id": "x"}}):
        await bench.squall.executions.request(Request(action="core.noop", context=context))
    assert await executions(bench, trigger) == []
