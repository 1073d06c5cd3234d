"""Keeping rules: those of clients and those of packs, with their triggers."""

from __future__ import annotations

import pytest
from tests.doubles.reacting import Reacting, pack_of, rule_body

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.rules.records import RuleFilter

pytestmark = pytest.mark.anyio
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


async def refs(reacting: Reacting) -> list[str]:
    rules, count = await reacting.rules.find(RuleFilter(), None, 0)
    assert count == len(rules)
    return [rule.ref for rule in rules]


async def test_a_rule_is_created_changed_and_removed(reacting: Reacting) -> None:
    await reacting.add_type()
    rule = await reacting.add_rule("a")
    assert await reacting.rules.get("p.a") == await reacting.rules.get(rule.id) == rule
    assert rule.context == {"user": "robot"}
    changed = await reacting.rules.update("p.a", rule_body("b", description="new"))
    assert (changed.id, changed.ref, changed.description, changed.context) == (rule.id, "p.b", "new", rule.context)
    await reacting.rules.delete("p.b")
    for call in (reacting.rules.get("p.b"), reacting.rules.delete("p.b"), reacting.rules.update("p.b", {})):
        with pytest.raises(NotFoundError):
            await call


async def test_two_rules_cannot_have_the_same_ref(reacting: Reacting) -> None:
    await reacting.add_type()
    first, second = await reacting.add_rule("a"), await reacting.add_rule("b")
    with pytest.raises(ConflictError, match=first.id):
        await reacting.add_rule("a")
    with pytest.raises(ConflictError, match=first.id):
        await reacting.rules.update(second.id, rule_body("a"))


async def test_a_rule_of_an_unknown_trigger_type_or_with_wrong_parameters_is_refused(reacting: Reacting) -> None:
    await reacting.add_type("p.s", parameters_schema=SCHEMA)
    with pytest.raises(InvalidError, match=r'trigger\.type: there is no trigger type "p\.none"'):
        await reacting.add_rule("a", "p.none")
    with pytest.raises(InvalidError, match="a"):
        await reacting.add_rule("a", trigger="p.s")
    assert await refs(reacting) == []
    assert await reacting.triggers.find() == []


async def test_rules_with_the_same_parameters_share_a_trigger_which_goes_with_the_last(reacting: Reacting) -> None:
    await reacting.add_type("p.s", parameters_schema=SCHEMA)
    bodies = [rule_body(name) | {"trigger": {"type": "p.s", "parameters": {"a": "x"}}} for name in ("a", "b")]
    first, second = [await reacting.rules.create(body, "ada") for body in bodies]
    assert first.trigger.ref == second.trigger.ref != ""
    await reacting.rules.delete(first.id)
    assert [each.ref for each in await reacting.triggers.find("p.s")] == [second.trigger.ref]
    moved = await reacting.rules.update(
        second.id, rule_body("b") | {"trigger": {"type": "p.s", "parameters": {"a": "y"}}}
    )
    assert [(each.ref, each.parameters) for each in await reacting.triggers.find("p.s")] == [
        (moved.trigger.ref, {"a": "y"})
    ]
    await reacting.rules.delete(second.id)
    assert await reacting.triggers.find("p.s") == []


async def test_a_rule_that_was_disabled_by_hand_stays_so_when_its_pack_is_registered_again(reacting: Reacting) -> None:
    await reacting.add_type()
    loaded = pack_of(rule_body("a"), rule_body("b"), rule_body("c", enabled=False))
    assert await reacting.register(loaded) == []
    rule = await reacting.rules.get("p.a")
    await reacting.rules.update("p.a", rule_body("a", enabled=False))
    await reacting.rules.update("p.c", rule_body("c", enabled=True))
    number = await reacting.squall.store.read(lambda tx: tx.rules.number())
    await reacting.register(loaded)
    rules, _ = await reacting.rules.find(RuleFilter(), None, 0)
    assert [(each.name, each.enabled) for each in rules] == [("a", False), ("b", True), ("c", True)]
    assert rules[0].id == rule.id
    # What has not changed is not written again, so decisions that are under way stand.
    assert await reacting.squall.store.read(lambda tx: tx.rules.number()) == number
    await reacting.register(pack_of(rule_body("a", description="new"), rule_body("b"), rule_body("c")))
    assert [(await reacting.rules.get("p.a")).enabled, (await reacting.rules.get("p.a")).description] == [False, "new"]


async def test_rules_that_a_pack_no_longer_has_are_removed_and_those_of_clients_stay(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.register(pack_of(rule_body("a"), rule_body("b")))
    await reacting.add_rule("mine")
    await reacting.register(pack_of(rule_body("b")))
    assert await refs(reacting) == ["p.b", "p.mine"]
    await reacting.squall.store.tx(lambda tx: reacting.registrar.keep(tx, ["other"]))
    assert await refs(reacting) == ["p.mine"]


async def test_a_bad_rule_of_a_pack_is_reported_and_the_rest_registered(reacting: Reacting) -> None:
    await reacting.add_type()
    [fault] = await reacting.register(pack_of(rule_body("a"), rule_body("bad", "p.none"), rule_body("c")))
    assert fault.startswith('p/rules/bad.yaml: trigger.type: there is no trigger type "p.none"')
    assert await refs(reacting) == ["p.a", "p.c"]


async def test_every_change_of_a_rule_is_an_event(reacting: Reacting) -> None:
    await reacting.add_type()
    rule = await reacting.add_rule("a")
    await reacting.rules.update(rule.id, rule_body("a", description="new"))
    await reacting.rules.delete(rule.id)
    events = await reacting.squall.store.read(lambda tx: tx.events.of("rule", rule.id))
    assert [each.name for each in events] == ["st2.rule__create", "st2.rule__update", "st2.rule__delete"]
