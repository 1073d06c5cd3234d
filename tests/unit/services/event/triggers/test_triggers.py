"""Keeping triggers: shared by parameters, found by the URL of a hook, followed by observers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.doubles.reacting import Reacting

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.rules.records import Trigger
from squall.ports import Tx
from squall.services.event.triggers.triggers import WEBHOOK

pytestmark = pytest.mark.anyio
URL = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}


def hook(url: str, **more: Any) -> dict[str, Any]:
    return {"type": WEBHOOK, "parameters": {"url": url}, **more}


class Observer:
    """A `TriggerObserver` that refuses the URL `bad`, and notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    async def check(self, trigger_type: str, parameters: Mapping[str, Any]) -> None:
        if parameters.get("url") == "bad":
            raise InvalidError("url: not this one")

    async def added(self, tx: Tx, trigger: Trigger, now: int) -> None:
        self.notes.append(("added", trigger.id))

    async def removed(self, tx: Tx, trigger: Trigger, now: int) -> None:
        self.notes.append(("removed", trigger.id))


async def test_observers_follow_triggers_and_may_refuse_their_parameters(reacting: Reacting) -> None:
    observer = Observer()
    reacting = Reacting(reacting.squall, observers=[observer])
    await reacting.add_type(WEBHOOK, parameters_schema=URL)
    with pytest.raises(InvalidError, match="not this one"):
        await reacting.triggers.put(hook("bad"))
    trigger = await reacting.triggers.put(hook("good"))
    changed = await reacting.triggers.put(hook("better"), trigger.id)
    assert changed.id == trigger.id
    await reacting.triggers.delete(changed.ref)
    assert observer.notes == [(what, trigger.id) for what in ("added", "removed", "added", "removed")]
    events = await reacting.squall.store.read(lambda tx: tx.events.of("trigger", trigger.id))
    assert [each.name.partition("__")[2] for each in events] == ["create", "update", "delete"]


async def test_a_hook_is_found_by_its_url_until_it_is_removed(reacting: Reacting) -> None:
    await reacting.add_type(WEBHOOK, parameters_schema=URL)
    assert await reacting.triggers.hook("push") is None
    trigger = await reacting.triggers.put(hook("/push/"))
    assert await reacting.triggers.hook("push") == trigger
    assert await reacting.triggers.hook("push") is await reacting.triggers.hook("push")
    await reacting.triggers.delete(trigger.id)
    assert await reacting.triggers.hook("push") is None


async def test_a_hook_that_is_removed_while_it_is_read_is_not_remembered(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type(WEBHOOK, parameters_schema=URL)
    trigger = await reacting.triggers.put(hook("push"))
    store = reacting.squall.store
    read = store.read

    async def slow(work: Any) -> Any:
        result = await read(work)
        monkeypatch.undo()
        await reacting.triggers.delete(trigger.id)
        return result

    monkeypatch.setattr(store, "read", slow)
    await reacting.triggers.hook("push")
    assert await reacting.triggers.hook("push") is None


async def test_a_trigger_that_a_rule_uses_cannot_be_removed(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    with pytest.raises(InvalidError, match=r'The rule "p\.a" uses this trigger'):
        await reacting.triggers.delete("p.t")


async def test_an_existing_trigger_with_the_same_name_is_returned(reacting: Reacting) -> None:
    await reacting.add_type(WEBHOOK, parameters_schema=URL)
    trigger = await reacting.triggers.put(hook("push", name="mine", pack="p", description="d"))
    assert (trigger.ref, trigger.description) == ("p.mine", "d")
    assert await reacting.triggers.put(hook("push", name="mine", pack="p")) == trigger
    assert await reacting.triggers.get("p.mine") == await reacting.triggers.get(trigger.id) == trigger


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "'type' is a required property"),
        ({"type": "p.none"}, 'there is no trigger type "p.none"'),
        ({"type": WEBHOOK, "parameters": []}, "parameters: "),
        ({"type": WEBHOOK, "parameters": {}}, "url"),
        ({"type": WEBHOOK, "parameters": {"url": "/st2/"}}, "generic webhook"),
        ({"type": WEBHOOK, "parameters": {"url": "a"}, "name": 1}, "name: 1"),
    ],
)
async def test_a_wrong_trigger_is_refused_with_its_field(
    reacting: Reacting, body: dict[str, Any], message: str
) -> None:
    await reacting.add_type(WEBHOOK, parameters_schema=URL)
    with pytest.raises(InvalidError) as raised:
        await reacting.triggers.put(body)
    assert message in str(raised.value)


async def test_what_does_not_exist_is_not_found(reacting: Reacting) -> None:
    await reacting.add_type(WEBHOOK, parameters_schema=URL)
    for call in (
        reacting.triggers.get("p.none"),
        reacting.triggers.delete("p.none"),
        reacting.triggers.put(hook("a"), "f" * 24),
    ):
        with pytest.raises(NotFoundError):
            await call
