"""Rendering the parameters of triggers."""

from __future__ import annotations

import pytest
from tests.doubles.reacting import Reacting, pack_of, rule_body

from squall.core.content.keyvalue import SYSTEM
from squall.core.errors import InvalidError
from squall.services.content.keys import NewValue

pytestmark = pytest.mark.anyio
HOOK = {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}


def hooked(url: str) -> dict[str, object]:
    return rule_body("a") | {"trigger": {"type": "core.st2.webhook", "parameters": {"url": url}}}


async def test_a_template_is_rendered_with_keys(reacting: Reacting) -> None:
    await reacting.add_type("core.st2.webhook", parameters_schema=HOOK)
    await reacting.squall.keys.put(SYSTEM, "robot", "team", NewValue(value="blue"))
    rule = await reacting.rules.create(hooked("{{ st2kv.system.team }}/push"), "ada")
    assert rule.trigger.parameters == {"url": "{{ st2kv.system.team }}/push"}
    [trigger] = await reacting.triggers.find()
    assert (trigger.ref, trigger.parameters) == (rule.trigger.ref, {"url": "blue/push"})


async def test_a_template_with_a_secret_or_a_missing_key_is_refused(reacting: Reacting) -> None:
    await reacting.add_type("core.st2.webhook", parameters_schema=HOOK)
    await reacting.squall.keys.put(SYSTEM, "robot", "s", NewValue(value="hidden", secret=True))
    with pytest.raises(InvalidError, match="secret"):
        await reacting.rules.create(hooked("{{ st2kv.system.s | decrypt_kv }}"), "ada")
    with pytest.raises(InvalidError, match="url: ''"):
        await reacting.rules.create(hooked("{{ st2kv.system.none }}"), "ada")
    with pytest.raises(InvalidError, match=r"trigger\.parameters\.url: "):
        await reacting.rules.create(hooked("{{ none.such }}"), "ada")


async def test_the_rule_of_a_pack_waits_for_its_parameters(reacting: Reacting) -> None:
    await reacting.add_type("core.st2.webhook", parameters_schema=HOOK)
    assert await reacting.register(pack_of(hooked("{{ st2kv.system.team }}"))) == []
    assert (await reacting.rules.get("p.a")).trigger.ref == ""
    assert await reacting.triggers.find() == []
