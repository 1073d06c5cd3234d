"""The removal of old trigger instances, enforcements and versions of rules."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.events import Events, events_of

from squall.core.event.internal.payloads import ACTION
from squall.core.event.rules.records import PROCESSED, Enforcement, identity
from squall.services.event import history
from squall.services.event.history import History
from squall.services.event.triggers.dispatching import Event

pytestmark = pytest.mark.anyio

DAY = 86_400.0


def sweeping(squall: Assembly, *, instance_days: int = 30, enforcement_days: int = 90) -> History:
    return History(squall.store, squall.clock, instance_days=instance_days, enforcement_days=enforcement_days)


async def evaluated(squall: Assembly, number: int = 0) -> str:
    """An event that has been evaluated; its id."""
    instance = await squall.dispatching.dispatch(Event(trigger=ACTION, payload={}))
    settled = {"status": PROCESSED, "evaluated_at": squall.clock.now(), "rules_number": number}
    changed = type(instance)(**{name: getattr(instance, name) for name in instance.__struct_fields__} | settled)
    await squall.store.tx(lambda tx: tx.instances.settle(changed))
    return instance.id


async def ids(events: Events) -> list[str]:
    return [instance.id for instance in await events.instances(ACTION)]


async def test_evaluated_instances_go_after_their_days_and_pending_ones_stay(squall: Assembly) -> None:
    events = await events_of(squall)
    old = await evaluated(squall)
    pending = await squall.dispatching.dispatch(Event(trigger=ACTION, payload={}))
    squall.clock.advance(29 * DAY)
    await sweeping(squall).sweep()
    assert await ids(events) == [old, pending.id]
    squall.clock.advance(2 * DAY)
    new = await evaluated(squall)
    await sweeping(squall).sweep()
    assert await ids(events) == [pending.id, new]


async def test_zero_days_keep_everything(squall: Assembly) -> None:
    events = await events_of(squall)
    await evaluated(squall)
    squall.clock.advance(10_000 * DAY)
    assert await sweeping(squall, instance_days=0, enforcement_days=0).sweep() == 0
    assert len(await ids(events)) == 1


async def test_more_than_a_batch_goes_in_several_transactions(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await events_of(squall)
    monkeypatch.setattr(history, "_BATCH", 3)
    for _ in range(10):
        await evaluated(squall)
    squall.clock.advance(31 * DAY)
    assert await sweeping(squall).sweep() == 10
    assert await ids(events) == []


async def test_a_version_of_a_rule_stays_as_long_as_an_instance_may_need_it(squall: Assembly) -> None:
    events = await events_of(squall)
    rule = await events.rule(ACTION)
    number = await squall.store.read(lambda tx: tx.rules.number())
    await evaluated(squall, number)
    squall.clock.advance(DAY)
    await events.rules.delete(rule.id)
    squall.clock.advance(28 * DAY)
    await sweeping(squall).sweep()
    assert [each.id for each in await squall.store.read(lambda tx: tx.rules.as_of(ACTION, number))] == [rule.id]
    squall.clock.advance(10 * DAY)
    await events.rule(ACTION, "other")
    await sweeping(squall).sweep()
    assert await squall.store.read(lambda tx: tx.rules.as_of(ACTION, number)) == []


async def test_enforcements_go_after_their_days_and_their_executions_stay(squall: Assembly) -> None:
    events = await events_of(squall)
    rule = await events.rule(ACTION)
    instance = await evaluated(squall)
    execution = await squall.request()
    enforcement = Enforcement(
        trigger_instance_id=instance,
        execution_id=execution.id,
        rule=identity(rule),
        enforced_at=squall.clock.now(),
        id=squall.clock.new_id(),
    )
    await squall.store.tx(lambda tx: tx.enforcements.add(enforcement, b"{}"))
    squall.clock.advance(89 * DAY)
    await sweeping(squall).sweep()
    assert await squall.store.read(lambda tx: tx.enforcements.get(enforcement.id)) is not None
    squall.clock.advance(2 * DAY)
    await sweeping(squall).sweep()
    assert await squall.store.read(lambda tx: tx.enforcements.get(enforcement.id)) is None
    assert (await squall.executions.get(execution.id)).id == execution.id
