"""Explanations of rules for events, as the rules were then."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.explaining import Explainers, rule_body
from tests.doubles.gated import Gated

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


ENTRY = {"trigger": {"type": "p.u"}, "criteria": {"trigger.ok": {"type": "eq", "pattern": True}}}


async def over_time(squall: Assembly) -> Gated:
    gated = Gated(squall)
    for ref in ("p.t", "p.u"):
        await gated.add_type(ref)
    return gated


async def test_an_event_of_a_further_trigger_is_explained_by_the_criteria_of_its_place(squall: Assembly) -> None:
    gated = await over_time(squall)
    rule = await gated.saying("a", "{{ events[0].n }}", correlate={"sequence": [ENTRY], "within": "1m"})
    first = await gated.came(1)
    other = await gated.came(2, trigger="p.u", ok=False)
    last = await gated.came(3, trigger="p.u", ok=True)
    assert await gated.decided(first) == {"p.a": ("kept_back", "correlated: waits for event 1")}
    assert await gated.decided(other) == {"p.a": ("no_match", "")}
    assert (await gated.decided(last))["p.a"][0] == "kept_back"
    await gated.at()
    assert await gated.decided(last) == {"p.a": ("fired", "")}
    await gated.rules.delete(rule.id)
    assert await gated.decided(other) == {"p.a": ("no_match", "")}


async def test_a_backstop_is_not_kept_from_an_event_that_only_takes_a_place(squall: Assembly) -> None:
    gated = await over_time(squall)
    await gated.saying("a", correlate={"all": ["p.u"], "within": "1m"})
    await gated.saying("b", type={"ref": "backstop"}, throttle={"within": "1h"})
    await gated.came(1)
    assert (await gated.decided(await gated.came(2)))["p.b"][0] == "kept_back"


async def test_the_reason_that_kept_a_match_back_is_that_of_its_time(squall: Assembly) -> None:
    gated = await over_time(squall)
    rule = await gated.saying("a", throttle={"within": "1h"}, criteria={"trigger.n": {"type": "gt", "pattern": 0}})
    assert await gated.decided(await gated.came(1)) == {"p.a": ("fired", "")}
    second, below = await gated.came(2), await gated.came(0)
    await gated.rules.update(rule.id, rule_body("a", criteria={}))
    decision = (await gated.decided(second))["p.a"]
    assert decision == ("kept_back", "throttled: it fired already; it is quiet for 3599 s more")
    assert await gated.decided(below) == {"p.a": ("no_match", "")}


@pytest.mark.parametrize(
    ("own", "outcome", "reason"),
    [
        ({}, "would_fire", ""),
        ({"throttle": {"within": "1m"}}, "would_fire", ""),
        ({"throttle": {"within": "1m", "mode": "last"}}, "would_wait", "throttle: the rule fires for the last event"),
        ({"hold": True}, "would_wait", "hold: the match waits"),
        ({"absent": {"within": "25h"}}, "would_wait", "absent: the rule fires only if no event comes for 25h"),
        ({"correlate": {"any": ["p.u"], "within": 5}}, "would_wait", "correlate: the event takes a place"),
    ],
)
async def test_a_rule_that_does_not_fire_at_once_says_for_what_a_match_would_wait(
    squall: Assembly, own: dict[str, Any], outcome: str, reason: str
) -> None:
    gated = await over_time(squall)
    explained = await gated.explaining.explain(await gated.saying("a", "{{ trigger.n }}", **own), {"n": 6})
    assert explained.outcome == outcome
    assert explained.document().get("reason", "").startswith(reason)
