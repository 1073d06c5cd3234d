"""Rules whose trigger parameters are templates: they follow the keys."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.events import Events, events_of

from squall.core.errors import InvalidError
from squall.core.event.rules.reading import read_rule
from squall.core.event.rules.records import Rule
from squall.services.content.keys import NewValue
from squall.services.event.triggers.triggers import WEBHOOK
from squall.services.lanes import REBINDING

pytestmark = pytest.mark.anyio

URL = {"url": "{{ st2kv.system.hook }}"}


async def write(squall: Assembly, value: str, **changes: Any) -> None:
    await squall.keys.put("st2kv.system", "", "hook", NewValue(value=value, **changes))


async def waiting(squall: Assembly) -> int:
    return (await squall.store.read(lambda tx: tx.queue.depths())).get(REBINDING, 0)


async def url_of(events: Events, rule: Rule) -> Any:
    current = await events.rules.get(rule.id)
    return (await events.triggers.get(current.trigger.ref)).parameters["url"] if current.trigger.ref else None


async def test_a_rule_moves_to_the_trigger_of_the_new_value_and_the_old_one_goes(squall: Assembly) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    rule = await events.rule(WEBHOOK, parameters=URL)
    assert await url_of(events, rule) == "one"
    await write(squall, "two")
    assert await waiting(squall) == 2
    await events.rebinding.carry()
    assert await url_of(events, rule) == "two"
    assert [each.parameters["url"] for each in await events.triggers.find(WEBHOOK)] == ["two"]
    assert await waiting(squall) == 0


async def test_a_shared_trigger_stays_for_the_rule_that_still_has_it(squall: Assembly) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    await events.rule(WEBHOOK, parameters=URL)
    await events.rule(WEBHOOK, "plain", parameters={"url": "one"})
    await write(squall, "two")
    await events.rebinding.carry()
    assert {each.parameters["url"] for each in await events.triggers.find(WEBHOOK)} == {"one", "two"}


@pytest.mark.parametrize("value", ["", "a//../b?", "x" * 5000])
async def test_a_value_that_does_not_fit_leaves_the_trigger_and_shows_on_the_rule(squall: Assembly, value: str) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    rule = await events.rule(WEBHOOK, parameters=URL)
    await write(squall, value)
    await events.rebinding.carry()
    current = await events.rules.get(rule.id)
    assert current.trigger_error
    assert await url_of(events, rule) == "one"
    await write(squall, "two")
    await events.rebinding.carry()
    assert (await events.rules.get(rule.id)).trigger_error is None
    assert await url_of(events, rule) == "two"


async def test_a_deleted_and_an_expired_key_are_noticed(squall: Assembly) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    rule = await events.rule(WEBHOOK, parameters=URL)
    await squall.keys.delete("st2kv.system", "", "hook")
    await events.rebinding.carry()
    assert (await events.rules.get(rule.id)).trigger_error
    await write(squall, "one", ttl=5)
    await events.rebinding.carry()
    assert (await events.rules.get(rule.id)).trigger_error is None
    squall.clock.advance(6.0)
    assert await squall.keys.expire() == 1
    await events.rebinding.carry()
    assert (await events.rules.get(rule.id)).trigger_error


async def test_a_secret_key_cannot_become_a_parameter(squall: Assembly) -> None:
    events = await events_of(squall)
    await write(squall, "hunter2", secret=True)
    with pytest.raises(InvalidError, match="secret"):
        await events.rule(WEBHOOK, parameters={"url": "{{ st2kv.system.hook | decrypt_kv }}"})


async def test_a_rule_of_a_pack_gets_its_trigger_after_its_registration(squall: Assembly) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    data = {"name": "r", "trigger": {"type": WEBHOOK, "parameters": URL}, "action": {"ref": "core.noop"}}
    rule = await squall.store.tx(lambda tx: events.rules.put(tx, read_rule(data, "p", "rules/r.yaml")))
    assert rule.trigger.ref == ""
    await events.rebinding.carry()
    assert await url_of(events, rule) == "one"
    before = await squall.store.read(lambda tx: tx.rules.number())
    await squall.store.tx(lambda tx: events.rules.put(tx, read_rule(data, "p", "rules/r.yaml")))
    assert await squall.store.read(lambda tx: tx.rules.number()) == before


async def test_a_key_costs_no_row_without_such_rules(squall: Assembly) -> None:
    events = await events_of(squall)
    await events.rule(WEBHOOK, parameters={"url": "plain"})
    await write(squall, "one")
    assert await waiting(squall) == 0


async def test_a_rule_that_was_changed_meanwhile_keeps_its_own_trigger(squall: Assembly) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    rule = await events.rule(WEBHOOK, parameters=URL)
    await events.rebinding._bind(rule, await events.parameters.keys())
    changed = {"name": "r", "trigger": {"type": WEBHOOK, "parameters": {"url": "own"}}, "action": {"ref": "core.noop"}}
    await events.rules.update(rule.id, changed)
    await write(squall, "two")
    await events.rebinding._bind(rule, await events.parameters.keys())
    assert await url_of(events, rule) == "own"


async def test_a_server_that_dies_on_the_way_leaves_the_row_for_the_next(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await events_of(squall)
    await write(squall, "one")
    rule = await events.rule(WEBHOOK, parameters=URL)
    await write(squall, "two")
    with monkeypatch.context() as patched:

        async def dies(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(events.rebinding, "_bind", dies)
        with pytest.raises(KeyboardInterrupt):
            await events.rebinding.carry()
    squall.clock.advance(61.0)
    await events.rebinding.carry()
    assert await url_of(events, rule) == "two"
