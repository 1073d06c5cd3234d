"""Fires of a timer while what earlier ones started still runs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.services.event.timers.conftest import Bench

from squall.core.event.rules.records import Trigger
from squall.core.event.schedules.fire import Fire
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.services.event.timers.overlapping import MOST_WAITING
from squall.testing.samples import NOON

pytestmark = pytest.mark.anyio


async def begun(bench: Bench, **parameters: Any) -> tuple[Trigger, Execution]:
    """A timer whose first fire, at 60 s, has started an execution."""
    trigger = await bench.timer(**parameters)
    await bench.after(60)
    (execution,) = await bench.evaluate()
    return trigger, execution


async def end(bench: Bench, execution: Execution, status: str = ex.SUCCEEDED) -> None:
    """Runs an execution to its end."""
    for task, claimed, _ in await bench.squall.claim():
        if claimed.id == execution.id:
            await bench.squall.finish(task, claimed, status)
            return
    raise AssertionError("the execution is not due")


async def reasons(bench: Bench, trigger: Trigger) -> list[tuple[float, int | None]]:
    missed = await bench.missed(trigger)
    assert all("overlap" in each.reason for each in missed)
    return [((each.at - NOON) / 1_000_000, each.fires) for each in missed]


async def test_fires_overlap_unless_the_timer_says_otherwise(bench: Bench) -> None:
    trigger, _ = await begun(bench)
    await bench.after(60)
    assert await bench.fires(trigger) == [60, 120]


async def test_a_fire_is_left_out_while_an_earlier_one_runs(bench: Bench) -> None:
    trigger, execution = await begun(bench, overlap="skip")
    await bench.after(60)
    await bench.after(60)
    assert await bench.fires(trigger) == [60]
    assert await reasons(bench, trigger) == [(120, 2)]
    await end(bench, execution)
    await bench.after(60)
    assert await bench.fires(trigger) == [60, 240]


async def test_a_fire_that_nobody_has_evaluated_yet_runs(bench: Bench) -> None:
    trigger = await bench.timer(overlap="skip")
    await bench.after(60)
    await bench.after(60)
    assert await bench.fires(trigger) == [60]
    await bench.evaluate(None)
    await bench.after(60)
    assert await bench.fires(trigger) == [60, 180]


@pytest.mark.parametrize("status", [ex.SUCCEEDED, ex.FAILED, ex.TIMEOUT])
async def test_a_fire_waits_and_happens_when_the_earlier_one_has_ended(bench: Bench, status: str) -> None:
    trigger, execution = await begun(bench, overlap="buffer_one")
    await bench.after(60)
    await bench.after(60)
    assert await bench.fires(trigger) == [60]
    assert await reasons(bench, trigger) == [(180, 1)]
    await end(bench, execution, status)
    await bench.after(0)
    assert await bench.fires(trigger) == [60, 120]


async def test_fires_wait_in_their_order_and_happen_one_after_the_other(bench: Bench) -> None:
    trigger, execution = await begun(bench, overlap="buffer_all")
    for _ in range(3):
        await bench.after(60)
    for number in range(2, 5):
        await end(bench, execution)
        await bench.after(0)
        assert await bench.fires(trigger) == [60.0 * each for each in range(1, number + 1)]
        (execution,) = await bench.evaluate()
    assert await bench.missed(trigger) == []


async def test_a_fire_that_waits_for_one_without_executions_happens_soon(bench: Bench) -> None:
    trigger = await bench.timer(overlap="buffer_one")
    await bench.after(60)
    await bench.after(60)
    await bench.evaluate(None)
    await bench.after(1)
    assert await bench.fires(trigger) == [60, 120]


async def test_a_fire_that_waits_is_not_lost_with_the_server(bench: Bench) -> None:
    trigger, execution = await begun(bench, overlap="buffer_one")
    await bench.after(60)
    await bench.squall.store.tx(lambda tx: tx.queue.free("w1", bench.squall.clock.now()))
    await end(bench, execution)
    await bench.after(0)
    assert await bench.fires(trigger) == [60, 120]


async def test_no_more_fires_wait_than_are_allowed(bench: Bench) -> None:
    trigger, _ = await begun(bench, overlap="buffer_all", delta=60)
    for number in range(MOST_WAITING):
        await bench.squall.store.tx(
            lambda tx, number=number: tx.fires.wait(trigger.id, Fire(number, "early"))  # type: ignore[misc]
        )
    await bench.after(60)
    assert await reasons(bench, trigger) == [(120, 1)]


async def test_the_newest_fire_cancels_what_runs(bench: Bench) -> None:
    trigger, execution = await begun(bench, overlap="cancel_other")
    await bench.squall.claim()
    await bench.after(60)
    canceled = await bench.squall.executions.get(execution.id)
    assert (canceled.status, canceled.context["cancelled_by"]) == (ex.CANCELING, f"timer {trigger.ref}")
    assert await bench.fires(trigger) == [60, 120]


async def test_the_newest_fire_waits_until_the_earlier_one_can_be_canceled(bench: Bench) -> None:
    trigger = await bench.timer(overlap="cancel_other")
    await bench.after(60)
    await bench.after(60)
    await bench.after(60)
    assert await bench.fires(trigger) == [60]
    (execution,) = await bench.evaluate()
    await bench.after(1)
    assert await bench.fires(trigger) == [60, 180]
    assert (await bench.squall.executions.get(execution.id)).status == ex.CANCELED
    assert await reasons(bench, trigger) == [(120, 1)]


async def test_nothing_that_waits_starts_during_a_pause(bench: Bench) -> None:
    trigger, execution = await begun(bench, overlap="buffer_one")
    await bench.after(60)
    await bench.squall.timers.pause(trigger.id, "ada")
    await end(bench, execution)
    await bench.after(1)
    assert await bench.fires(trigger) == [60]
    await bench.squall.timers.resume(trigger.id)
    await bench.after(0)
    assert await bench.fires(trigger) == [60, 120]


async def test_a_record_stands_for_no_fire_that_happened(bench: Bench) -> None:
    trigger, execution = await begun(bench, overlap="buffer_one")
    for _ in range(2):
        await bench.after(60)
    await end(bench, execution)
    await bench.after(0)
    await bench.evaluate()
    for _ in range(3):
        await bench.after(60)
    assert await bench.fires(trigger) == [60, 120]
    assert await reasons(bench, trigger) == [(180, 1), (300, 2)]
