"""Timers fire at their times, each fire once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.doubles.assembly import UTC
from tests.unit.services.event.timers.conftest import Bench

from squall.core.errors import UnavailableError
from squall.core.event.schedules.lateness import Policy, delay
from squall.core.timestamp import to_iso
from squall.ports import Store, Tx
from squall.services.event.timers.firing import MOST, Firing
from squall.services.lanes import RULES, SCHEDULE
from squall.testing.samples import NOON

pytestmark = pytest.mark.anyio
T = TypeVar("T")
HOUR = 3_600


class Failing:
    """A store whose writing transactions fail at one call: before their work, or after it."""

    def __init__(self, store: Store, call: int, *, after: bool) -> None:
        self._store = store
        self._call = call
        self._after = after

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        self._call -= 1
        if self._call == 0:
            if self._after:
                await self._store.tx(work, durable=durable)
            raise UnavailableError("the disk is full")
        return await self._store.tx(work, durable=durable)

    async def close(self) -> None:
        await self._store.close()


def firing(bench: Bench, store: Store | None = None) -> Firing:
    squall = bench.squall
    return Firing(
        store or squall.store, squall.bus, squall.clock, squall.suspects, squall.dispatching, squall.transitions, UTC
    )


async def test_a_timer_fires_at_each_of_its_times_with_its_trace(bench: Bench) -> None:
    trigger = await bench.timer()
    await bench.after(59)
    assert await bench.fires() == []
    await bench.after(1)
    await bench.after(60)
    assert await bench.fires() == [60, 120]
    first, second = await bench.instances()
    assert (first.trigger, first.type, first.trace_tag) == (
        trigger.ref,
        trigger.type,
        f"st2.IntervalTimer-{trigger.name}",
    )
    assert first.trace != second.trace
    assert first.payload["schedule"] is None
    for each in (first, second):
        assert await bench.squall.store.read(lambda tx, each=each: tx.queue.holds(RULES, each.id))  # type: ignore[misc]


async def test_a_timer_has_one_row_and_it_is_due_at_its_next_fire(bench: Bench) -> None:
    trigger = await bench.timer()
    await bench.after(60)
    assert await bench.squall.firing.due() == NOON + 120_000_000
    await bench.squall.triggers.delete(trigger.id)
    assert await bench.squall.firing.due() is None


async def test_a_date_fires_once_and_leaves_no_row(bench: Bench) -> None:
    await bench.timer("DateTimer", date=to_iso(NOON + 100_000_000))
    await bench.timer("DateTimer", date="2020-01-01T00:00:00Z")
    await bench.after(100)
    assert await bench.fires() == [100]
    assert await bench.squall.firing.due() is None


async def test_no_fire_happens_twice_when_the_clock_goes_back_an_hour(bench: Bench) -> None:
    await bench.timer(delta=600)
    await bench.after(600)
    await bench.after(600)
    await bench.after(-HOUR)
    assert await bench.fires() == [600, 1200]
    await bench.after(HOUR + 600)
    assert await bench.fires() == [600, 1200, 1800]


async def test_each_fire_of_an_hour_that_the_clock_jumps_over_happens_or_is_recorded(bench: Bench) -> None:
    trigger = await bench.timer(delta=600)
    await bench.after(HOUR + 1)
    happened = await bench.fires()
    missed = [(each.at - NOON) / 1_000_000 for each in await bench.missed(trigger)]
    assert sorted([*happened, *missed]) == [600, 1200, 1800, 2400, 3000, 3600]
    assert all(each.reason for each in await bench.missed(trigger))
    assert (await bench.squall.timers.get(trigger.id)).missed == len(missed)


async def test_all_missed_fires_happen_if_the_timer_says_so(bench: Bench) -> None:
    trigger = await bench.timer(delta=10, misfire="all", misfire_most=300)
    await bench.after(3_000)
    assert await bench.fires() == [10.0 * number for number in range(1, 301)]
    assert await bench.missed(trigger) == []


async def test_more_timers_than_a_batch_fire_at_once(bench: Bench) -> None:
    for number in range(MOST + 3):
        await bench.timer(misfire_most=number + 1)
    await bench.after(60)
    assert len(await bench.fires()) == MOST + 3


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2])
async def test_a_store_that_fails_loses_no_fire_and_doubles_none(bench: Bench, call: int, after: bool) -> None:
    await bench.timer()
    bench.squall.clock.advance(60)
    failing = firing(bench, Failing(bench.squall.store, call, after=after))
    try:
        await failing.fire()
    except UnavailableError:
        # The next server frees the leases of the one before.
        await bench.squall.store.tx(lambda tx: tx.queue.free("w1", bench.squall.clock.now()))
    await bench.after(0)
    assert await bench.fires() == [60]


async def test_a_server_that_was_away_after_its_claim_is_taken_over_also_when_the_clock_went_back(bench: Bench) -> None:
    await bench.timer()
    now = bench.squall.clock.advance(60)
    await bench.squall.store.tx(lambda tx: tx.queue.claim(SCHEDULE, "w1", now, 60_000_000, 9))
    bench.squall.clock.advance(-30)
    await bench.squall.store.tx(lambda tx: tx.queue.free("w1", bench.squall.clock.now()))
    await bench.after(0)
    assert await bench.fires() == []
    await bench.after(30)
    assert await bench.fires() == [60]


async def test_a_claim_that_is_late_writes_nothing_after_a_change_of_its_timer(bench: Bench) -> None:
    trigger = await bench.timer()
    bench.squall.clock.advance(60)

    class Changing(Failing):
        async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
            result = await self._store.tx(work, durable=durable)
            if not durable:
                await bench.squall.triggers.delete(trigger.id)
            return result

    await firing(bench, Changing(bench.squall.store, 0, after=False)).fire()
    assert await bench.fires() == []
    assert await bench.squall.firing.due() is None


async def test_jitter_delays_the_evaluation_by_the_same_span_on_every_server(bench: Bench) -> None:
    trigger = await bench.timer(jitter=30)
    await bench.after(60)
    (instance,) = await bench.instances()
    expected = NOON + 60_000_000 + delay(trigger.id, NOON + 60_000_000, Policy(jitter=30_000_000))
    assert await bench.squall.store.read(lambda tx: tx.queue.place(RULES, instance.id)) == (expected, 0)


async def test_a_defect_of_one_timer_neither_loses_it_nor_disturbs_others(bench: Bench) -> None:
    broken, sound = await bench.timer(delta=60), await bench.timer(delta=30)
    await bench.squall.store.tx(
        lambda tx: tx.triggers.put(msgspec.structs.replace(broken, parameters={"unit": "eons"}), "x")
    )
    await bench.after(60)
    assert await bench.fires(sound) == [60]
    await bench.squall.store.tx(lambda tx: tx.triggers.put(broken, "x"))
    await bench.after(60)
    assert len(await bench.fires(broken)) == 1


async def test_timers_follow_the_zone_of_the_server(bench: Bench) -> None:
    trigger = await bench.timer("CronTimer", hour=15, minute=0, second=0)
    named = await bench.timer("CronTimer", hour=15, minute=0, second=0, timezone="UTC")
    squall = bench.squall
    tokyo = Firing(
        squall.store, squall.bus, squall.clock, squall.suspects, squall.dispatching, squall.transitions,
        ZoneInfo("Asia/Tokyo"),
    )  # fmt: skip
    await tokyo.use_zone()
    while await tokyo.fire():
        pass
    first, second = await squall.timers.get(trigger.id), await squall.timers.get(named.id)
    assert first.next != second.next
    assert first.zone == "Asia/Tokyo"
