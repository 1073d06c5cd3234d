"""Explanations of rules for events, as the rules were then."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.explaining import Explainers, rule_body

from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.execution import ExecutionFilter
from squall.services.event.triggers.dispatching import Event

pytestmark = pytest.mark.anyio


async def outcomes(use: Explainers, instance_id: str) -> dict[str, str]:
    answer = await use.explaining.instance(instance_id)
    return {each["rule"]["ref"]: each["outcome"] for each in answer["rules"]}


async def test_every_rule_of_the_trigger_says_what_it_decided(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("fires")
    await use.add("differs", criteria={"trigger.n": {"type": "lt", "pattern": 5}})
    await use.add("off", enabled=False)
    await use.add("backstop", type={"ref": "backstop"}, criteria={})
    await use.add("broken", criteria={}, action={"ref": "core.nosuch"})
    await use.add("fails", action={"ref": "core.local", "parameters": {"cmd": "{{ trigger.gone }}"}})
    instance = await use.event(n=6)
    assert await outcomes(use, instance.id) == {
        "p.fires": "fired",
        "p.differs": "no_match",
        "p.off": "disabled",
        "p.backstop": "other_matched",
        "p.broken": "failed",
        "p.fails": "failed",
    }


async def test_the_rules_are_explained_as_they_were_at_the_evaluation(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r")
    gone = await use.add("gone")
    instance = await use.event(n=1)
    await use.rules.update(rule.id, rule_body("r", criteria={}))
    await use.rules.delete(gone.id)
    await use.add("later", criteria={})
    answer = await use.explaining.instance(instance.id)
    assert {each["rule"]["ref"]: each["criteria"][0]["pattern"] for each in answer["rules"]} == {"p.r": 5, "p.gone": 5}


async def test_an_event_that_waits_is_explained_with_the_present_rules(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r")
    (trigger,) = await squall.store.read(lambda tx: tx.triggers.find())
    instance = await squall.store.tx(
        lambda tx: use.dispatching.place(tx, Event(trigger="p.t", payload={"n": 6}), trigger)
    )
    assert await outcomes(use, instance.id) == {"p.r": "not_evaluated"}


async def test_a_rule_that_reads_keys_says_that_they_may_have_changed(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("reads", criteria={"trigger.n": {"type": "eq", "pattern": "{{ st2kv.system.a }}"}})
    await use.add("plain")
    instance = await use.event(n=0)
    answer = await use.explaining.instance(instance.id)
    notes = {each["rule"]["ref"]: each.get("note", "") for each in answer["rules"]}
    assert "present values" in notes["p.reads"]
    assert notes["p.plain"] == ""


async def test_a_rule_is_explained_for_any_payload(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    stored = await use.add("r")
    rule, is_stored = await use.explaining.rule_of("p.r")
    assert (rule, is_stored) == (stored, True)
    assert (await use.explaining.explain(rule, {"n": 9})).outcome == "would_fire"
    assert (await use.explaining.explain(rule, {"n": 1})).outcome == "no_match"
    assert await squall.executions.find(ExecutionFilter(), None, 0, False) == ([], 0, {})


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"ref": "core.nosuch"}, 'Action "core.nosuch" doesn\'t exist'),
        ({"ref": "core.local", "parameters": {"cmd": "x", "nosuch": 1}}, "'nosuch' was unexpected"),
        ({"ref": "core.local", "parameters": {"cmd": "{{ trigger.gone }}"}}, 'parameter "cmd": cannot be rendered'),
    ],
)
async def test_an_action_that_cannot_run_is_a_failure(squall: Assembly, action: dict[str, Any], reason: str) -> None:
    use = await Explainers(squall).begin()
    rule, _ = await use.explaining.rule_of(rule_body("r", action=action))
    explained = await use.explaining.explain(rule, {"n": 9})
    assert explained.outcome == "failed"
    assert reason in explained.document()["failure_reason"]


async def test_secret_parameters_of_the_action_are_masked(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    parameters = {"cmd": "x", "password": "open sesame", "options": {"token": "t", "n": 1}}
    rule = await use.add("r", action={"ref": "core.local", "parameters": parameters})
    shown = {"cmd": "x", "password": "********", "options": {"token": "********", "n": 1}}
    assert (await use.explaining.explain(rule, {"n": 9})).document()["parameters"] == shown
    instance = await use.event(n=9)
    (decision,) = (await use.explaining.instance(instance.id))["rules"]
    assert decision["parameters"] == shown


async def test_what_does_not_exist_is_named(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    with pytest.raises(NotFoundError, match=r"p\.nosuch"):
        await use.explaining.rule_of("p.nosuch")
    with pytest.raises(NotFoundError, match="Unable to identify"):
        await use.explaining.instance("0" * 24)
    with pytest.raises(InvalidError, match="rule: expected the ref"):
        await use.explaining.rule_of(5)
