"""Events about executions: stored only if somebody waits for them, in the transaction of the change."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.events import events_of

from squall.core.event.internal.payloads import ACTION, INQUIRY, NOTIFY
from squall.core.execution.trace import rule_depth
from squall.ports import Tx
from squall.services.event.triggers.dispatching import DEEPEST
from squall.services.lanes import NOTIFICATIONS
from squall.testing.samples import sample_execution

pytestmark = pytest.mark.anyio


async def test_the_end_of_an_execution_is_an_event_in_its_trace(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(ACTION)
    task, execution, _ = await squall.start()
    await squall.finish(task, execution, result={"stdout": "x"})
    (instance,) = await events.instances(ACTION)
    assert instance.payload["execution_id"] == execution.id
    assert instance.payload["result"] == {"stdout": "x"}
    assert instance.trace == await squall.store.read(lambda tx: tx.traces.of_execution(execution.id))


async def test_nothing_is_stored_while_nobody_waits(squall: Assembly) -> None:
    events = await events_of(squall)
    rule = await events.rule(ACTION)
    await events.rules.delete(rule.id)
    await squall.done()
    await events.rule(ACTION, enabled=False)
    await squall.done()
    assert await events.instances(ACTION) == []


async def test_a_viewer_gets_events_without_a_rule(squall: Assembly) -> None:
    events = await events_of(squall)
    with squall.wanted.viewed(ACTION):
        await squall.done()
    await squall.done()
    assert len(await events.instances(ACTION)) == 1


async def test_an_event_has_as_many_rules_before_it_as_its_execution(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(ACTION)
    task, execution, _ = await squall.start(context={"trace_context": {"depth": DEEPEST + 1}})
    await squall.finish(task, execution)
    (instance,) = await events.instances(ACTION)
    assert (instance.depth, instance.status) == (DEEPEST + 1, "processing_failed")
    assert "loop" in instance.reason


async def test_a_child_and_a_request_of_an_action_inherit_the_number_of_rules(squall: Assembly) -> None:
    parent = await squall.request(context={"trace_context": {"depth": 3}})
    assert rule_depth((await squall.child_of(parent)).context) == 3
    assert rule_depth((await squall.request(by=parent.id)).context) == 3
    again = await squall.executions.re_run(parent.id, {}, None, None, by=parent.id)
    assert rule_depth(again.context) == 3


async def test_a_notify_section_queues_a_row_only_if_somebody_waits_and_a_route_applies(squall: Assembly) -> None:
    events = await events_of(squall)

    async def end(notify: dict[str, object]) -> int:
        task, execution, _ = await squall.start(notify=notify)
        await squall.finish(task, execution)
        return (await squall.store.read(lambda tx: tx.queue.depths())).get(NOTIFICATIONS, 0)

    assert await end({"on-success": {"routes": ["r"]}}) == 0
    await events.rule(NOTIFY)
    assert await end({"on-failure": {"routes": ["r"]}}) == 0
    assert await end({"on-success": {"routes": ["r"]}}) == 1


async def test_an_inquiry_that_waits_is_an_event(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(INQUIRY)
    inquiry = sample_execution(status="running", runner="inquirer")

    async def work(tx: Tx) -> None:
        await tx.executions.insert(inquiry)
        await squall.transitions.conclude(tx, inquiry, "pending", {"route": "dev"}, squall.clock.now())

    await squall.store.tx(work)
    (instance,) = await events.instances(INQUIRY)
    assert instance.payload == {"id": inquiry.id, "route": "dev"}


async def test_an_event_is_stored_from_the_transaction_on_that_enables_its_rule(squall: Assembly) -> None:
    events = await events_of(squall)
    task, execution, _ = await squall.start()
    assert not await squall.store.tx(lambda tx: squall.wanted.wants(tx, ACTION))
    # The caches of rules are cleared later, when the transactions of both have been committed together.
    events.rules.settled = lambda: None  # type: ignore[method-assign]
    await events.rule(ACTION)
    await squall.finish(task, execution)
    assert len(await events.instances(ACTION)) == 1
