"""Notifications: rendered, one event for each route, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.events import Events, events_of

from squall.core.errors import UnavailableError
from squall.core.event.internal.payloads import NOTIFY
from squall.core.execution.execution import Execution
from squall.services.content.keys import NewValue
from squall.services.lanes import NOTIFICATIONS
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


async def ended(squall: Assembly, events: Events, part: dict[str, Any], **changes: Any) -> None:
    """An execution with this `on-complete` has ended while a rule waits for notifications."""
    await events.rule(NOTIFY)
    task, execution, _ = await squall.start(notify={"on-complete": part}, **changes)
    await squall.finish(task, execution, result={"n": 5})


async def waiting(squall: Assembly) -> int:
    return (await squall.store.read(lambda tx: tx.queue.depths())).get(NOTIFICATIONS, 0)


async def test_texts_are_rendered_with_parameters_results_and_keys(squall: Assembly) -> None:
    events = await events_of(squall)
    await squall.keys.put("st2kv.system", "", "team", NewValue(value="ops"))
    message = "{{ action_parameters.cmd }} {{ action_results.n }} {{ st2kv.system.team }}"
    await ended(squall, events, {"routes": ["a", "b"], "message": message, "data": {"to": "{{ st2kv.system.team }}"}})
    assert await events.notify() == 1
    first, second = await events.instances(NOTIFY)
    assert first.payload["message"] == second.payload["message"] == "true 5 ops"
    assert first.payload["data"] == {"to": "ops", "result": '{"n": 5}'}
    assert (first.payload["route"], second.payload["route"]) == ("a", "b")
    assert await waiting(squall) == 0


async def test_a_decrypted_key_is_masked(squall: Assembly) -> None:
    events = await events_of(squall)
    await squall.keys.put("st2kv.system", "", "pass", NewValue(value="hunter2", secret=True))
    await ended(squall, events, {"routes": ["a"], "message": "is {{ st2kv.system.pass | decrypt_kv }}."})
    await events.notify()
    (instance,) = await events.instances(NOTIFY)
    assert instance.payload["message"] == "is ********."


@pytest.mark.parametrize("message", ["{{ nothing.here }}", "{{ 1 + }}"])
async def test_a_text_that_fails_is_sent_as_it_was_written(squall: Assembly, message: str) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"], "message": message})
    await events.notify()
    (instance,) = await events.instances(NOTIFY)
    assert instance.payload["message"] == message


async def test_an_execution_that_was_removed_meanwhile_sends_nothing(squall: Assembly) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"]})
    trees = await squall.store.read(lambda tx: tx.retention.finished((0, ""), 2**60, 10))
    assert await squall.store.tx(lambda tx: tx.retention.purge([tree.id for tree in trees])) == 1
    await events.notify()
    assert await events.instances(NOTIFY) == []
    assert await waiting(squall) == 0


async def test_a_lost_lease_sends_nothing_twice(squall: Assembly) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"]})
    now = squall.clock.now()
    (task,) = await squall.store.tx(lambda tx: tx.queue.claim(NOTIFICATIONS, "dead", now, 1, 1))
    squall.clock.advance(1.0)
    await events.notify()
    await events.notifying._send(task)
    assert len(await events.instances(NOTIFY)) == 1


async def test_slow_texts_end_together_and_are_sent_as_they_were_written(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("squall.services.event.internal.notifying._LONGEST", -1.0)
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"], "message": "{{ action_results.n }}"})
    await events.notify()
    (instance,) = await events.instances(NOTIFY)
    assert instance.payload["message"] == "{{ action_results.n }}"


async def test_a_defect_gives_up_after_some_attempts_and_an_absent_database_does_not(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"]})
    errors: list[Exception] = [UnavailableError("away")] * 5 + [ValueError("defect")]

    async def fails(_execution: object) -> None:
        raise errors[0]

    monkeypatch.setattr(events.notifying, "_payloads", fails)
    while len(errors) > 1:
        squall.clock.advance(2.0)
        assert await events.notify() == 1
        del errors[0]
    assert await waiting(squall) == 1
    squall.clock.advance(2.0)
    await events.notify()
    assert await waiting(squall) == 0


async def test_a_slow_notification_delays_no_other(squall: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["slow"]})
    render, released = events.notifying._payloads, asyncio.Event()

    async def slow(execution: Execution) -> Sequence[dict[str, Any]]:
        if execution.notify["on-complete"]["routes"] == ["slow"]:
            await released.wait()
        return await render(execution)

    monkeypatch.setattr(events.notifying, "_payloads", slow)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        assert await events.notifying.carry(group) == 1
        task, execution, _ = await squall.start(notify={"on-complete": {"routes": ["quick"]}})
        await squall.finish(task, execution)
        assert await events.notify() == 1
        assert [each.payload["route"] for each in await events.instances(NOTIFY)] == ["quick"]
        released.set()
    assert len(await events.instances(NOTIFY)) == 2
