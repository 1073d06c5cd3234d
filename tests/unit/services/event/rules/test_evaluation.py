"""Evaluating stored events: order, lines side by side, rows that are lost, and what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.reacting import Reacting, rule_body

from squall.core.errors import ConflictError, UnavailableError
from squall.core.event.rules.records import PENDING, PROCESSED, PROCESSING_FAILED, TriggerInstance
from squall.services.event.rules.deciding import Decision, Early
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


class Deciding:
    """Decides as the real one, after `before` was called with the instance."""

    def __init__(self, reacting: Reacting, before: Callable[[TriggerInstance], Any]) -> None:
        self._decide = reacting.deciding.decide
        self._before = before

    async def decide(self, instance: TriggerInstance, early: Early) -> Decision:
        await self._before(instance)
        return await self._decide(instance, early)


def deciding_after(reacting: Reacting, monkeypatch: pytest.MonkeyPatch, before: Callable[..., Any]) -> None:
    monkeypatch.setattr(reacting.deciding, "decide", Deciding(reacting, before).decide)


async def test_instances_of_one_trigger_are_evaluated_in_the_order_of_storing(reacting: Reacting) -> None:
    await reacting.add_type()
    rule = await reacting.add_rule("all")
    stored = [(await reacting.dispatch({"n": n})).id for n in range(150)]
    assert await reacting.evaluate() == 150
    assert [each.trigger_instance_id for each in await reacting.enforcements(rule=rule.ref)] == stored
    contexts = [execution.context["trigger_instance"]["id"] for execution in await reacting.executions()]
    assert contexts == stored
    assert {each.status for each in await reacting.stored()} == {PROCESSED}


async def test_what_a_dead_server_had_claimed_is_evaluated_before_later_instances(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("all")
    first = await reacting.dispatch({"n": 1})
    squall = reacting.squall
    await squall.store.tx(lambda tx: tx.queue.claim("rules", "w1", squall.clock.now(), 60_000_000, 1))
    second = await reacting.dispatch({"n": 2})
    await squall.store.tx(lambda tx: tx.queue.free("w1", 0))
    await reacting.evaluate()
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == [first.id, second.id]


async def test_a_slow_rule_holds_up_no_other_trigger(reacting: Reacting, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("slow", "fast"):
        await reacting.add_type(f"p.{name}")
        await reacting.add_rule(name, f"p.{name}")
    release, fast_is_done = asyncio.Event(), asyncio.Event()
    fast = await reacting.dispatch(trigger="p.fast")
    slow = [(await reacting.dispatch(trigger="p.slow")).id for _ in range(3)]

    async def before(instance: TriggerInstance) -> None:
        if instance.trigger == "p.slow":
            await release.wait()

    deciding_after(reacting, monkeypatch, before)
    write = reacting.enforcing.write

    async def watched(decisions: Any) -> bool:
        written = await write(decisions)
        if any(decision.instance.id == fast.id for _, decision in decisions):
            fast_is_done.set()
        return written

    monkeypatch.setattr(reacting.enforcing, "write", watched)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        await reacting.evaluation.advance(group)
        await fast_is_done.wait()
        assert [each.trigger_instance_id for each in await reacting.enforcements()] == [fast.id]
        release.set()
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == [fast.id, *slow]


async def test_a_change_of_rules_between_decision_and_write_is_obeyed(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    rule = await reacting.add_rule("a")
    await reacting.dispatch()
    decide = reacting.deciding.decide
    decisions: list[Decision] = []

    async def decided(instance: TriggerInstance, early: Early) -> Decision:
        decision = await decide(instance, early)
        decisions.append(decision)
        if len(decisions) == 1:
            await reacting.add_rule("b")
            await reacting.rules.update(rule.id, rule_body("a", enabled=False))
        return decision

    monkeypatch.setattr(reacting.deciding, "decide", decided)
    await reacting.evaluate()
    assert [[match.rule.name for match in each.matches] for each in decisions] == [["a"], ["b"]]
    assert [each.rule.ref for each in await reacting.enforcements()] == ["p.b"]
    [instance] = await reacting.stored()
    assert instance.rules_number == await reacting.squall.store.read(lambda tx: tx.rules.number())


@pytest.mark.parametrize("matches", [1, 201])
async def test_a_row_that_another_server_has_claimed_writes_nothing(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch, matches: int
) -> None:
    await reacting.add_type()
    for number in range(matches):
        await reacting.add_rule(f"r{number}")
    await reacting.dispatch()
    squall = reacting.squall

    async def before(instance: TriggerInstance) -> None:
        later = squall.clock.advance(61)
        [other] = await squall.store.tx(lambda tx: tx.queue.claim("rules", "w2", later, 60_000_000, 1))
        assert other.key == instance.id

    deciding_after(reacting, monkeypatch, before)
    await reacting.evaluate()
    assert (await reacting.enforcements(), await reacting.executions()) == ([], [])
    assert [each.status for each in await reacting.stored()] == [PENDING]
    monkeypatch.undo()
    squall.clock.advance(61)
    await reacting.evaluate()
    assert len(await reacting.enforcements()) == matches


async def test_a_row_whose_lease_ended_while_it_waited_keeps_its_place(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    await reacting.add_rule("all")
    stored = [(await reacting.dispatch({"n": n})).id for n in range(3)]
    release, begun = asyncio.Event(), asyncio.Event()

    async def before(instance: TriggerInstance) -> None:
        begun.set()
        await release.wait()

    deciding_after(reacting, monkeypatch, before)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        await reacting.evaluation.advance(group)
        await begun.wait()
        reacting.squall.clock.advance(61)
        assert await reacting.evaluation.advance(group) == 3
        release.set()
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == stored
    assert await reacting.waiting() == 0


async def test_an_error_of_the_environment_waits_and_keeps_the_order(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    await reacting.add_rule("all")
    stored = [(await reacting.dispatch({"n": n})).id for n in range(3)]
    failures = [UnavailableError("away"), OSError(28, "full"), MemoryError()]

    async def before(instance: TriggerInstance) -> None:
        if instance.id == stored[0] and failures:
            raise failures.pop()

    deciding_after(reacting, monkeypatch, before)
    monkeypatch.setattr("squall.services.event.rules.evaluation.back_off", lambda failures: 0)
    await reacting.evaluate()
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == stored


async def test_a_defect_is_tried_three_times_then_stands_with_its_reason_and_can_be_retried(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    rule = await reacting.add_rule("all")
    bad, good = await reacting.dispatch({"n": 1}), await reacting.dispatch({"n": 2})
    tries = [0]

    async def before(instance: TriggerInstance) -> None:
        if instance.id == bad.id:
            tries[0] += 1
            raise LookupError("a defect")

    deciding_after(reacting, monkeypatch, before)
    for _ in range(5):
        await reacting.evaluate()
        reacting.squall.clock.advance(1)
    # One of the tries was that of the whole batch.
    assert tries == [4]
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == [good.id]
    failed = await reacting.instances.get(bad.id)
    assert (failed.status, failed.reason) == (PROCESSING_FAILED, "LookupError: a defect")
    monkeypatch.undo()
    assert (await reacting.instances.retry(bad.id)).status == PENDING
    with pytest.raises(ConflictError, match="re_emit"):
        await reacting.instances.retry(bad.id)
    await reacting.evaluate()
    assert [each.trigger_instance_id for each in await reacting.enforcements(rule=rule.ref)] == [good.id, bad.id]
    assert (await reacting.instances.get(bad.id)).reason == ""


async def test_leases_that_ended_in_line_are_no_tries(reacting: Reacting, monkeypatch: pytest.MonkeyPatch) -> None:
    await reacting.add_type()
    instance = await reacting.dispatch()
    squall = reacting.squall
    for _ in range(5):
        await squall.store.tx(lambda tx: tx.queue.claim("rules", "w2", squall.clock.now(), 1, 1))
        squall.clock.advance(1)

    async def before(instance: TriggerInstance) -> None:
        raise LookupError("a defect")

    deciding_after(reacting, monkeypatch, before)
    await reacting.evaluate()
    assert (await reacting.instances.get(instance.id)).status == PENDING


async def test_an_instance_that_is_gone_leaves_no_row(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("all")
    gone, stays = await reacting.dispatch({"n": 1}), await reacting.dispatch({"n": 2})
    squall = reacting.squall
    await squall.store.tx(lambda tx: tx.instances.settle(msgspec.structs.replace(gone, status=PROCESSED)))
    await squall.store.tx(lambda tx: tx.instances.expire(squall.clock.now() + 1, 1))
    await reacting.evaluate()
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == [stays.id]
    assert await reacting.waiting() == 0


async def test_a_row_that_cannot_be_read_holds_up_no_other(reacting: Reacting, squall: Assembly) -> None:
    await reacting.add_type()
    await reacting.add_rule("all")
    await squall.store.tx(lambda tx: tx.queue.put("rules", "f" * 24, {"type": "of a later version"}, 0))
    instance = await reacting.dispatch()
    assert await reacting.evaluate() == 2
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == [instance.id]
    assert await reacting.waiting() == 1
    assert await reacting.evaluate() == 0
    squall.clock.advance(61)
    assert await reacting.evaluate() == 1


async def test_an_evaluation_that_outlives_its_lease_is_written_once(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    await reacting.add_rule("all")
    stored = [(await reacting.dispatch({"n": n})).id for n in range(3)]
    decided: list[str] = []

    async def before(instance: TriggerInstance) -> None:
        decided.append(instance.id)
        if len(decided) == 1:
            reacting.squall.clock.advance(61)
            async with asyncio.TaskGroup() as group:
                assert await reacting.evaluation.advance(group) == 3

    deciding_after(reacting, monkeypatch, before)
    await reacting.evaluate()
    assert decided == stored
    assert [each.trigger_instance_id for each in await reacting.enforcements()] == stored
    assert await reacting.waiting() == 0


async def test_matches_that_are_written_early_are_written_once(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    await reacting.add_rule("b", throttle={"within": 60})
    await reacting.dispatch({"n": 1})
    explanations = reacting.deciding.explanations
    seen: list[list[str]] = []

    async def with_early(*arguments: Any, early: Any, **more: Any) -> Any:
        explained = await explanations(*arguments, **more)
        await early(explained)
        seen.append([each.rule.ref for each in await reacting.enforcements()])
        if len(seen) == 1:
            await reacting.add_rule("c")
        return explained

    monkeypatch.setattr(reacting.deciding, "explanations", with_early)
    await reacting.evaluate()
    assert seen == [["p.a"], ["p.a", "p.c"]]
    assert [each.rule.ref for each in await reacting.enforcements()] == ["p.a", "p.c", "p.b"]
    assert [each.status for each in await reacting.stored()] == [PROCESSED]
