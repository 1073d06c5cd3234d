"""Timers are read, paused, resumed and backfilled."""

from __future__ import annotations

import pytest
from tests.unit.services.event.timers.conftest import Bench

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.rules.records import Rule, RuleAction, RuleTrigger
from squall.services.event.timers.timers import MOST_BACKFILLED, MOST_PREVIEWED
from squall.testing.samples import NOON, sample_id

pytestmark = pytest.mark.anyio
SECOND = 1_000_000


def at(seconds: float) -> int:
    return NOON + round(seconds * SECOND)


async def test_a_timer_has_the_refs_of_its_rules_and_is_read_by_them(bench: Bench) -> None:
    trigger = await bench.timer()
    rule = Rule(
        uid="rule:p:r", name="r", ref="p.r", pack="p", id=sample_id(3), action=RuleAction(ref="core.noop"),
        trigger=RuleTrigger(type=trigger.type, parameters=trigger.parameters, ref=trigger.ref),
    )  # fmt: skip
    await bench.squall.store.tx(lambda tx: tx.rules.put(rule, NOON))
    for name in (trigger.ref, trigger.id, "p.r"):
        timer = await bench.squall.timers.get(name)
        assert (timer.trigger, timer.rules, timer.next) == (trigger, ("p.r",), at(60))
    for name in ("p.s", "core.nothing", sample_id(9)):
        with pytest.raises(NotFoundError, match=name):
            await bench.squall.timers.get(name)


async def test_timers_are_listed_by_type_and_in_pages(bench: Bench) -> None:
    triggers = sorted([await bench.timer(delta=number + 1) for number in range(3)], key=lambda each: each.ref)
    cron = await bench.timer("CronTimer", hour=3)
    page, total = await bench.squall.timers.find("core.st2.IntervalTimer", 2, 1)
    assert ([each.trigger for each in page], total) == (triggers[1:], 3)
    page, total = await bench.squall.timers.find("core.st2.CronTimer", None, 0)
    assert ([each.trigger for each in page], total) == ([cron], 1)
    assert (await bench.squall.timers.find(None, None, 0))[1] == 4


async def test_a_paused_timer_does_not_fire_until_it_is_resumed(bench: Bench) -> None:
    trigger = await bench.timer()
    paused = await bench.squall.timers.pause(trigger.id, "ada", "deploy")
    assert (paused.next, paused.pause and paused.pause.by) == (None, "ada")
    await bench.after(130)
    assert await bench.fires() == []
    resumed = await bench.squall.timers.resume(trigger.id)
    assert (resumed.pause, resumed.next, resumed.missed) == (None, at(180), 1)
    await bench.after(50)
    assert await bench.fires() == [180]
    (missed,) = await bench.missed(trigger)
    assert (missed.at, missed.last, missed.reason) == (at(60), at(120), "ada paused the timer: deploy")


async def test_a_pause_ends_by_itself(bench: Bench) -> None:
    trigger = await bench.timer()
    await bench.squall.timers.pause(trigger.id, "ada", "", at(90))
    assert await bench.squall.firing.due() == 0
    await bench.after(60)
    assert await bench.squall.firing.due() == at(90)
    await bench.after(60)
    assert await bench.fires() == [120]
    assert (await bench.squall.timers.get(trigger.id)).pause is None


async def test_a_second_pause_replaces_reason_and_end_but_not_the_begin(bench: Bench) -> None:
    trigger = await bench.timer()
    await bench.squall.timers.pause(trigger.id, "ada", "one", at(90))
    bench.squall.clock.advance(10)
    pause = (await bench.squall.timers.pause(trigger.id, "bob", "two")).pause
    assert pause is not None
    assert (pause.by, pause.reason, pause.since, pause.until) == ("bob", "two", NOON, None)


async def test_a_pause_or_resume_that_makes_no_sense_is_refused(bench: Bench) -> None:
    trigger = await bench.timer()
    with pytest.raises(InvalidError, match=r"until: .* is over"):
        await bench.squall.timers.pause(trigger.id, "ada", "", NOON)
    with pytest.raises(InvalidError, match="reason: it has 1001"):
        await bench.squall.timers.pause(trigger.id, "ada", "x" * 1001)
    with pytest.raises(ConflictError, match="is not paused"):
        await bench.squall.timers.resume(trigger.id)


async def test_a_preview_has_as_many_fires_as_requested(bench: Bench) -> None:
    trigger = await bench.timer()
    fires, reason = await bench.squall.timers.preview(trigger.ref, 3)
    assert ([fire.at for fire in fires], reason) == ([at(60), at(120), at(180)], "")
    for count in (0, MOST_PREVIEWED + 1):
        with pytest.raises(InvalidError, match=r"^count: "):
            await bench.squall.timers.preview(trigger.ref, count)


async def test_a_backfill_lets_each_fire_happen_that_has_not_happened(bench: Bench) -> None:
    trigger = await bench.timer(delta=60, misfire="skip")
    await bench.after(60)
    await bench.after(200)
    trial = await bench.squall.timers.backfill(trigger.id, at(0), at(260), 10, dry_run=True)
    assert [(each.fire.at, each.before) for each in trial] == [
        (at(60), True), (at(120), False), (at(180), False), (at(240), False),
    ]  # fmt: skip
    assert await bench.fires() == [60]
    for _ in range(2):
        await bench.squall.timers.backfill(trigger.id, at(0), at(260), 10, dry_run=False)
        assert await bench.fires() == [60, 120, 180, 240]
    assert "backfilled" in (await bench.instances())[-1].payload["note"]


async def test_a_fire_that_was_backfilled_before_its_timer_saw_it_happens_once(bench: Bench) -> None:
    trigger = await bench.timer()
    bench.squall.clock.advance(60)
    await bench.squall.timers.backfill(trigger.id, at(0), at(60), 10, dry_run=False)
    await bench.after(0)
    assert await bench.fires() == [60]


@pytest.mark.parametrize(
    ("begin", "end", "most", "field"),
    [
        (0, 61, 10, "to"),
        (10, 5, 10, "from"),
        (0, 60, 0, "limit"),
        (0, 60, MOST_BACKFILLED + 1, "limit"),
        (0, 60, 59, "limit"),
    ],
)
async def test_a_range_that_cannot_be_backfilled_is_refused(
    bench: Bench, begin: int, end: int, most: int, field: str
) -> None:
    trigger = await bench.timer(delta=1)
    bench.squall.clock.advance(60)
    with pytest.raises(InvalidError, match=f"^{field}: "):
        await bench.squall.timers.backfill(trigger.id, at(begin), at(end), most, dry_run=True)


async def test_records_of_missed_fires_are_removed_after_their_days(bench: Bench) -> None:
    trigger = await bench.timer(delta=3600, misfire="skip")
    await bench.after(24 * 3600)
    assert len(await bench.missed(trigger)) == 23
    bench.squall.clock.advance(29 * 24 * 3600)
    await bench.squall.timers.forget()
    assert len(await bench.missed(trigger)) == 23
    bench.squall.clock.advance(2 * 24 * 3600)
    await bench.squall.timers.forget()
    assert await bench.missed(trigger) == []


async def test_a_fire_that_an_execution_backfills_is_as_deep_as_the_execution(bench: Bench) -> None:
    trigger = await bench.timer(delta=60, misfire="skip")
    await bench.after(200)
    execution = await bench.squall.request(context={"trace_context": {"depth": 4}})
    await bench.squall.timers.backfill(trigger.id, at(0), at(100), 10, dry_run=False, execution=execution.id)
    assert [each.depth for each in await bench.instances()] == [4]
