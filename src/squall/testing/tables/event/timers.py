# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of timers and their fires; a part of `squall.testing.tables.store`."""

from __future__ import annotations

import msgspec
import pytest

from squall.core.event.rules.records import PROCESSED, Trigger, TriggerInstance, make_trigger
from squall.core.event.schedules.fire import Fire
from squall.core.event.schedules.misfires import Missed
from squall.core.event.timers.records import MissedFire, Pause, Timer
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_id


def _trigger(number: int, kind: str = "core.st2.IntervalTimer") -> Trigger:
    return make_trigger(kind, {"unit": "seconds", "delta": number}, sample_id(number), f"t{number}")


async def _put(store: Store, timer: Timer) -> Timer:
    async def work(tx: Tx) -> None:
        await tx.triggers.put(timer.trigger, timer.trigger.id)
        await tx.timers.put(timer)

    await store.tx(work)
    return timer


@pytest.mark.anyio
class TimerContract:
    """The contract of `ports.TimerRows` and `ports.FireRows`."""

    async def test_a_timer_is_found_by_ref_and_id_and_replaced(self, store: Store) -> None:
        """All of its fields are kept, also those that are empty."""
        timer = await _put(store, Timer(trigger=_trigger(1), start=1, last=2))
        assert await store.read(lambda tx: tx.timers.get(timer.trigger.ref)) == timer
        pause = Pause(by="ada", reason="ü", since=5, until=6)
        changed = msgspec.structs.replace(timer, last=3, next=4, fired=2, zone="UTC", pause=pause)
        await store.tx(lambda tx: tx.timers.put(changed))
        assert await store.read(lambda tx: tx.timers.get(timer.trigger.id)) == changed
        assert await store.read(lambda tx: tx.timers.load([timer.trigger.id, sample_id(9)])) == [changed]
        assert await store.read(lambda tx: tx.timers.load([])) == []

    async def test_timers_are_listed_by_ref_and_type(self, store: Store) -> None:
        """A page and its total."""
        timers = [await _put(store, Timer(trigger=_trigger(number), start=1, last=1)) for number in (3, 1, 2)]
        cron = await _put(store, Timer(trigger=_trigger(4, "core.st2.CronTimer"), start=1, last=1))
        assert await store.read(lambda tx: tx.timers.find(None, 2, 1)) == [timers[2], timers[0]]
        assert await store.read(lambda tx: tx.timers.find("core.st2.CronTimer", None, 0)) == [cron]
        assert await store.read(lambda tx: tx.timers.count(None)) == 4
        assert await store.read(lambda tx: tx.timers.count("core.st2.CronTimer")) == 1

    async def test_timers_that_depend_on_another_zone_are_found(self, store: Store) -> None:
        """Those that name their zone depend on none."""
        for number, zone in ((1, ""), (2, "UTC"), (3, "Asia/Tokyo")):
            await _put(store, Timer(trigger=_trigger(number), start=1, last=1, zone=zone))
        assert await store.read(lambda tx: tx.timers.in_other_zones("UTC", 9)) == [sample_id(3)]

    async def test_missed_fires_are_counted_and_go_with_their_age_and_their_timer(self, store: Store) -> None:
        """The newest comes first; a record of uncounted fires counts as one."""
        timer = await _put(store, Timer(trigger=_trigger(1), start=1, last=1))
        trigger_id = timer.trigger.id
        await store.tx(lambda tx: tx.timers.miss(trigger_id, Missed(1, 1, "a"), 10))
        await store.tx(lambda tx: tx.timers.miss(trigger_id, Missed(2, 5, "a"), 11))
        newest, oldest = await store.read(lambda tx: tx.timers.missed(trigger_id, None, 0))
        assert newest == MissedFire(at=2, last=5, fires=None, reason="a", recorded=11)
        assert oldest == MissedFire(at=1, last=1, fires=1, reason="a", recorded=10)
        assert await store.read(lambda tx: tx.timers.missed(trigger_id, 1, 1)) == [oldest]
        assert await store.read(lambda tx: tx.timers.get(trigger_id)) == msgspec.structs.replace(timer, missed=2)
        assert await store.tx(lambda tx: tx.timers.forget(11, 9)) == 1
        assert await store.read(lambda tx: tx.timers.missed(trigger_id, None, 0)) == [newest]
        await store.tx(lambda tx: tx.timers.delete(trigger_id))
        assert await store.read(lambda tx: tx.timers.missed(trigger_id, None, 0)) == []
        assert await store.read(lambda tx: tx.timers.get(trigger_id)) is None

    async def test_a_record_stands_for_later_fires_with_its_reason_until_one_happens(self, store: Store) -> None:
        """`since` is the last fire that happened."""
        trigger_id = (await _put(store, Timer(trigger=_trigger(1), start=1, last=1))).trigger.id
        for at, reason, since in ((2, "a", 1), (3, "a", 1), (4, "b", 1), (5, "b", 1), (7, "b", 6)):
            await store.tx(
                lambda tx, at=at, reason=reason, since=since: tx.timers.miss(  # type: ignore[misc]
                    trigger_id, Missed(at, at, reason), 9, since
                )
            )
        missed = await store.read(lambda tx: tx.timers.missed(trigger_id, None, 0))
        assert [(each.at, each.last, each.fires, each.reason) for each in missed] == [
            (7, 7, 1, "b"), (4, 5, 2, "b"), (2, 3, 2, "a"),
        ]  # fmt: skip

    async def test_a_fire_runs_until_it_is_evaluated_and_its_executions_have_ended(self, store: Store) -> None:
        """Executions of other instances are not noted."""
        trigger_id, instance_id = sample_id(1), sample_id(2)
        instance = TriggerInstance(trigger="core.t1", occurred_at=NOON, id=instance_id, payload={})
        await store.tx(lambda tx: tx.instances.add(instance))
        await store.tx(lambda tx: tx.fires.begin(trigger_id, 5, instance_id))
        assert await store.tx(lambda tx: tx.fires.running(trigger_id)) == [(instance_id, True)]
        await store.tx(lambda tx: tx.fires.entered(sample_id(3), instance_id))
        await store.tx(lambda tx: tx.fires.entered(sample_id(4), sample_id(9)))
        done = msgspec.structs.replace(instance, status=PROCESSED)
        await store.tx(lambda tx: tx.instances.settle(done))
        assert await store.tx(lambda tx: tx.fires.running(trigger_id)) == [(instance_id, False)]
        assert await store.read(lambda tx: tx.fires.executions(trigger_id)) == [sample_id(3)]
        assert await store.tx(lambda tx: tx.fires.ended(sample_id(3))) is None
        assert await store.tx(lambda tx: tx.fires.running(trigger_id)) == []

    async def test_fires_wait_in_their_order_for_the_end_of_an_execution(self, store: Store) -> None:
        """A fire that begins waits no more."""
        trigger_id, instance_id = sample_id(1), sample_id(2)
        await store.tx(lambda tx: tx.fires.begin(trigger_id, 5, instance_id))
        await store.tx(lambda tx: tx.fires.entered(sample_id(3), instance_id))
        for at in (8, 7, 6):
            await store.tx(lambda tx, at=at: tx.fires.wait(trigger_id, Fire(at, "l", "n")))  # type: ignore[misc]
        assert await store.tx(lambda tx: tx.fires.ended(sample_id(3))) == trigger_id
        assert await store.tx(lambda tx: tx.fires.ended(sample_id(3))) is None
        await store.tx(lambda tx: tx.fires.drop(trigger_id, 8))
        await store.tx(lambda tx: tx.fires.begin(trigger_id, 6, sample_id(4)))
        assert await store.read(lambda tx: tx.fires.waiting(trigger_id)) == [Fire(7, "l", "n")]
