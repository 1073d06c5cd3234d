"""Rules that fire later: once, at their time, whatever dies or changes meanwhile."""

from __future__ import annotations

import pytest
from tests.doubles.gated import Gated

from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import FAILED
from squall.core.timestamp import to_iso
from squall.services.event.gates.gating import ABSENCE
from squall.services.lanes import GATES

pytestmark = pytest.mark.anyio
OTHER = {"trigger": {"type": "p.u"}}


async def test_the_last_event_fires_once_when_the_span_is_over(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "last", "by": "trigger.host"})
    for n in range(3):
        await gated.came(n, host="x")
    await gated.came(9, host="y")
    assert await gated.at(56) == 0
    assert await gated.at(1) == 1
    assert await gated.said() == ["2"]
    await gated.at(60)
    await gated.at(600)
    assert await gated.said() == ["2", "9"]


async def test_an_event_pushes_the_time_of_an_absence_out(gated: Gated) -> None:
    await gated.saying("a", absent={"within": "1m"})
    for n in range(5):
        await gated.came(n, 50)
        await gated.at()
    assert await gated.said() == []
    await gated.at(60)
    await gated.at(600)
    assert await gated.said() == ["4"]
    await gated.came(5)
    assert await gated.said() == ["4"]
    await gated.at(60)
    assert await gated.said() == ["4", "5"]


async def test_an_absence_without_any_event_has_an_instance_of_its_own(gated: Gated) -> None:
    await gated.saying("a", "{{ trigger | length }}", absent={"within": "1m"})
    await gated.at(60)
    await gated.at(60)
    assert await gated.said() == ["0"]
    [instance] = await gated.stored(type=ABSENCE)
    [enforcement] = await gated.enforcements()
    assert (enforcement.trigger_instance_id, instance.payload) == (instance.id, {})


async def test_an_event_that_came_in_time_but_waits_for_its_evaluation_is_not_absent(gated: Gated) -> None:
    await gated.saying("a", absent={"within": "1m"})
    gated.squall.clock.advance(59)
    await gated.dispatch({"n": 1})
    assert await gated.at(2) == 1
    assert await gated.enforcements() == []
    await gated.evaluate()
    await gated.at(57)
    assert await gated.said() == []
    await gated.at(1)
    assert await gated.said() == ["1"]


async def test_a_criterion_that_holds_no_more_does_not_stop_what_matched(gated: Gated) -> None:
    criteria = {"trigger.at": {"type": "timediff_lt", "pattern": 30}}
    await gated.saying("a", criteria=criteria, throttle={"within": "1m", "mode": "last"})
    await gated.came(1, at="2026-01-01T00:00:00Z")
    await gated.came(2, at=to_iso(gated.squall.clock.now()))
    await gated.at(60)
    assert await gated.said() == ["2"]


async def test_a_silence_covers_what_comes_due_during_it(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "last"})
    await gated.saying("b", absent={"within": "1m"})
    silence = await gated.silences.create({"pack": "p", "reason": "works", "until": "2m"}, "ada")
    await gated.came(1)
    await gated.at(60)
    await gated.at(120)
    assert await gated.said() == []
    # The event itself, for the rule that throttles; and the absence of the next one.
    assert (await gated.silences.get(silence.id)).count == 2


async def test_a_match_whose_time_has_come_is_held_if_its_rule_holds(gated: Gated) -> None:
    rule = await gated.saying("a", absent={"within": "1m"}, hold=True)
    await gated.came(1)
    await gated.at(60)
    assert await gated.said() == []
    await gated.held.run(rule.ref, None)
    assert await gated.said() == ["1"]


async def test_parameters_that_cannot_be_rendered_fail_the_enforcement_once(gated: Gated) -> None:
    await gated.saying("a", "{{ events[5].n }}", correlate={"all": [OTHER], "within": "1m"})
    await gated.came(1)
    await gated.came(2, trigger="p.u")
    await gated.at()
    await gated.at(60)
    [enforcement] = await gated.enforcements()
    assert enforcement.status == FAILED
    assert "cmd" in (enforcement.failure_reason or "")


async def test_an_event_that_is_stored_no_more_fails_the_enforcement(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "last"})
    await gated.came(1)
    await gated.squall.store.tx(lambda tx: tx.instances.expire(gated.squall.clock.now() + 1, 10))
    await gated.at(60)
    [enforcement] = await gated.enforcements()
    assert "not stored any more" in (enforcement.failure_reason or "")


async def test_what_was_claimed_and_not_written_fires_after_the_lease(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "last"})
    await gated.came(1)
    gated.squall.clock.advance(60)
    now = gated.squall.clock.now()
    [lost] = await gated.squall.store.tx(lambda tx: tx.queue.claim(GATES, "w0", now, 1_000_000, 10))
    assert await gated.at() == 0
    assert await gated.at(2) == 1
    assert not await gated.squall.store.tx(lambda tx: tx.queue.done(lost))
    assert await gated.said() == ["1"]


async def test_an_event_between_rendering_and_writing_is_the_one_that_fires(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "last"})
    await gated.came(1)
    later, calls = gated.deciding.later, [0]

    async def slow(*values: object) -> object:
        calls[0] += 1
        if calls[0] == 1:
            await gated.came(2, 0)
        return await later(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(gated.deciding, "later", slow)
    await gated.at(60)
    assert await gated.said() == ["2"]
    assert len(await gated.enforcements()) == 1


async def test_a_defect_is_retried_and_then_fails_the_enforcement(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "last"})
    await gated.came(1)

    async def broken(*values: object) -> object:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(gated.deciding, "later", broken)
    await gated.at(60)
    await gated.at(1)
    assert await gated.enforcements() == []
    await gated.at(1)
    [enforcement] = await gated.enforcements()
    assert enforcement.failure_reason == "ZeroDivisionError: oops"
    assert await gated.queued() == 0


async def test_a_clock_that_is_set_back_fires_nothing_twice(gated: Gated) -> None:
    await gated.saying("first", "first", throttle={"within": "1m"})
    await gated.saying("last", "last", throttle={"within": "1m", "mode": "last"})
    await gated.saying("absent", "absent", absent={"within": "1m"})
    await gated.came(1)
    await gated.at(60)
    assert sorted(await gated.said()) == ["absent", "first", "last"]
    gated.squall.clock.advance(-3600)
    await gated.at()
    await gated.came(2, 0)
    assert len(await gated.said()) == 3
    await gated.at(60)
    assert sorted(await gated.said()) == ["absent", "absent", "first", "last", "last"]


async def test_a_clock_that_is_set_back_does_not_put_off_what_waits(gated: Gated) -> None:
    await gated.saying("last", "last {{ trigger.n }}", throttle={"within": "1m", "mode": "last"})
    await gated.saying("absent", "absent {{ trigger.n }}", absent={"within": "1m"})
    await gated.came(1)
    gated.squall.clock.advance(-3600)
    await gated.came(2, 0)
    assert await gated.queued() == 2
    await gated.at(60)
    assert sorted(await gated.said()) == ["absent 2", "last 2"]
    assert await gated.queued() == 0


async def test_the_row_of_a_rule_that_is_gone_is_removed(gated: Gated) -> None:
    await gated.squall.store.tx(lambda tx: tx.queue.put(GATES, gated.squall.clock.new_id(), None, 0))
    await gated.at()
    assert await gated.queued() == 0


def test_the_stand_in_of_an_absence_is_no_event_of_the_rule() -> None:
    rule = make_rule({"name": "r", "trigger": {"type": "p.t"}, "action": {"ref": "a.b"}, "absent": {"within": 1}})
    assert rule.trigger.type != ABSENCE
