"""Notifications: rendered, one event for each route, each once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.events import Events, events_of

from squall.core.event.internal.payloads import NOTIFY
from squall.services.content.keys import NewValue
from squall.services.lanes import NOTIFICATIONS

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
    assert await events.notifying.carry() == 1
    first, second = await events.instances(NOTIFY)
    assert first.payload["message"] == second.payload["message"] == "true 5 ops"
    assert first.payload["data"] == {"to": "ops", "result": '{"n": 5}'}
    assert (first.payload["route"], second.payload["route"]) == ("a", "b")
    assert await waiting(squall) == 0


async def test_a_decrypted_key_is_masked(squall: Assembly) -> None:
    events = await events_of(squall)
    await squall.keys.put("st2kv.system", "", "pass", NewValue(value="hunter2", secret=True))
    await ended(squall, events, {"routes": ["a"], "message": "is {{ st2kv.system.pass | decrypt_kv }}."})
    await events.notifying.carry()
    (instance,) = await events.instances(NOTIFY)
    assert instance.payload["message"] == "is ********."


@pytest.mark.parametrize("message", ["{{ nothing.here }}", "{{ 1 + }}"])
async def test_a_text_that_fails_is_sent_as_it_was_written(squall: Assembly, message: str) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"], "message": message})
    await events.notifying.carry()
    (instance,) = await events.instances(NOTIFY)
    assert instance.payload["message"] == message


async def test_an_execution_that_was_removed_meanwhile_sends_nothing(squall: Assembly) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"]})
    trees = await squall.store.read(lambda tx: tx.retention.finished((0, ""), 2**60, 10))
    assert await squall.store.tx(lambda tx: tx.retention.purge([tree.id for tree in trees])) == 1
    await events.notifying.carry()
    assert await events.instances(NOTIFY) == []
    assert await waiting(squall) == 0


async def test_a_lost_lease_sends_nothing_twice(squall: Assembly) -> None:
    events = await events_of(squall)
    await ended(squall, events, {"routes": ["a"]})
    now = squall.clock.now()
    (task,) = await squall.store.tx(lambda tx: tx.queue.claim(NOTIFICATIONS, "dead", now, 1, 1))
    squall.clock.advance(1.0)
    await events.notifying.carry()
    await events.notifying._send(task)
    assert len(await events.instances(NOTIFY)) == 1
