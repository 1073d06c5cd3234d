"""Requests wait for the evaluation of their events, and cost little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.doubles.hooks import Hooks

from squall.core.event.rules.records import Enforcement, RuleIdentity, TriggerInstance
from squall.ports import Tx
from squall.services.event.webhooks.outcomes import Outcome
from squall.services.lanes import CHANGED
from squall.testing.waiting import until

pytestmark = pytest.mark.anyio
URL = "team/deploy"


@asynccontextmanager
async def looking(hooks: Hooks) -> AsyncIterator[None]:
    """The loop runs while the block does."""
    async with asyncio.TaskGroup() as group:
        loop = group.create_task(hooks.outcomes.run())
        yield
        loop.cancel()


async def evaluated(hooks: Hooks, instance: TriggerInstance, status: str = "processed", *, hint: bool = True) -> str:
    """Ends an evaluation that has started one execution; its id."""
    execution = await hooks.squall.request("core.noop")
    enforcement = Enforcement(
        trigger_instance_id=instance.id,
        execution_id=execution.id,
        rule=RuleIdentity(ref="a.b", id="r", uid="rule:a:b"),
        enforced_at=1,
        id=hooks.squall.clock.new_id(),
    )

    async def work(tx: Tx) -> None:
        await tx.enforcements.add(enforcement, b"{}")
        await tx.instances.settle(msgspec.structs.replace(instance, status=status))

    await hooks.store.tx(work)
    if hint:
        hooks.squall.bus.publish(CHANGED, execution.tree)
    return execution.id


@pytest.mark.parametrize("hint", [True, False])
async def test_a_wait_ends_when_the_rules_are_evaluated_also_if_the_hint_is_lost(hooks: Hooks, hint: bool) -> None:
    async with looking(hooks), asyncio.TaskGroup() as group:
        instances = [(await hooks.send(URL)).instance for _ in range(3)]
        waits = [group.create_task(hooks.outcomes.of(instance, 60)) for instance in (*instances, instances[0])]
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        executions = [await evaluated(hooks, instance, hint=hint) for instance in instances]
        outcomes: list[Outcome] = await asyncio.gather(*waits)
    assert [[each.id for each in outcome.executions] for outcome in outcomes] == [
        [execution] for execution in (*executions, executions[0])
    ]
    assert {(outcome.status, outcome.is_complete) for outcome in outcomes} == {("processed", True)}


async def test_what_is_evaluated_already_is_answered_without_the_loop(hooks: Hooks) -> None:
    instance = (await hooks.send(URL)).instance
    execution = await evaluated(hooks, instance, "processing_failed")
    outcome = await hooks.outcomes.of(instance, 60)
    assert (outcome.is_complete, outcome.status) == (True, "processing_failed")
    assert [each.execution_id for each in outcome.enforcements] == [execution]


async def test_a_wait_that_is_over_tells_what_is_known(hooks: Hooks) -> None:
    instance = (await hooks.send(URL)).instance
    async with looking(hooks):
        outcome = await hooks.outcomes.of(instance, 0.01)
    assert (outcome.is_complete, outcome.status, outcome.executions) == (False, "pending", [])


async def test_a_stop_of_the_server_ends_all_waits(hooks: Hooks) -> None:
    instance = (await hooks.send(URL)).instance
    async with looking(hooks), asyncio.TaskGroup() as group:
        wait = group.create_task(hooks.outcomes.of(instance, 3600))
        await asyncio.sleep(0)
        hooks.outcomes.stop()
        assert not (await wait).is_complete
        assert not (await hooks.outcomes.of(instance, 3600)).is_complete


async def test_many_waits_share_one_look(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    instances = [(await hooks.send(URL)).instance for _ in range(5)]
    looks = 0
    look = hooks.outcomes._look

    async def counted() -> None:
        nonlocal looks
        await look()
        looks += 1

    monkeypatch.setattr(hooks.outcomes, "_look", counted)
    async with looking(hooks), asyncio.TaskGroup() as group:
        waits = [group.create_task(hooks.outcomes.of(instances[number % 5], 60)) for number in range(200)]
        for instance in instances:
            await evaluated(hooks, instance, hint=False)
        await asyncio.gather(*waits)
    assert looks < 200
    assert not hooks.outcomes._waiting


async def test_the_loop_rests_while_nobody_waits(hooks: Hooks) -> None:
    async with looking(hooks):
        await hooks.outcomes.of((await hooks.send(URL)).instance, 0.01)
        bus = hooks.squall.bus
        await asyncio.to_thread(until, lambda: not bus._subscriptions.get(CHANGED), "the loop rests")  # type: ignore[attr-defined]
