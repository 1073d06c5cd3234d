"""The decisions of a rule, followed late and live."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.explaining import Explainers, rule_body
from tests.doubles.gated import Gated

from squall.core.errors import NotFoundError
from squall.core.event.rules.records import Rule
from squall.services.event.rules.decisions import Step
from squall.services.event.triggers.dispatching import Event

pytestmark = pytest.mark.anyio


async def following(use: Explainers, rule: Rule, position: int, count: int) -> list[Step]:
    """The next `count` decisions behind a position."""
    steps: list[Step] = []
    stream = use.decisions.follow(rule, position)
    async for step in stream:
        if step.decision is not None:
            steps.append(step)
        if len(steps) == count:
            break
    await stream.aclose()
    return steps


def outcomes(steps: list[Step]) -> list[str]:
    return [step.decision["outcome"] for step in steps if step.decision is not None]


async def test_a_late_follower_gets_every_decision_in_order(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r")
    for n in (6, 1, 7):
        await use.event(n=n)
    assert outcomes(await following(use, rule, 0, 3)) == ["fired", "no_match", "fired"]


async def test_a_position_resumes_behind_its_event(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r")
    for n in (6, 1, 7):
        await use.event(n=n)
    first, second = await following(use, rule, 0, 2)
    assert outcomes(await following(use, rule, first.position, 1)) == outcomes([second])


async def test_a_follower_at_the_present_gets_later_decisions_only(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    await use.add("r")
    await use.event(n=6)
    rule, position = await use.decisions.begin("p.r")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(following(use, rule, position, 1))
        await use.event(n=1)
    assert outcomes(task.result()) == ["no_match"]


async def test_a_decision_is_that_of_the_rule_as_it_was(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r")
    await use.event(n=1)
    await use.rules.update(rule.id, rule_body("r", enabled=False))
    await use.event(n=9)
    await use.rules.update(rule.id, rule_body("r", criteria={}))
    await use.event(n=1)
    assert outcomes(await following(use, rule, 0, 3)) == ["no_match", "disabled", "fired"]


async def test_an_event_that_waits_keeps_later_decisions_back(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r")
    await use.dispatching.dispatch(Event(trigger="p.t", payload={"n": 6}))
    stream = use.decisions.follow(rule, 0)
    assert await anext(stream) == Step(0, None)
    await use.evaluate()
    steps = [await anext(stream), await anext(stream)]
    assert "fired" in outcomes(steps)
    await stream.aclose()


async def test_the_stream_ends_with_its_rule(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r")
    await use.rules.delete(rule.id)
    assert [step async for step in use.decisions.follow(rule, 0)] == []


async def test_events_of_the_type_are_stored_while_somebody_follows(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    rule = await use.add("r", enabled=False)
    assert not await squall.store.tx(lambda tx: use.wanted.wants(tx, "p.t"))
    stream = use.decisions.follow(rule, 0)
    await anext(stream)
    assert await squall.store.tx(lambda tx: use.wanted.wants(tx, "p.t"))
    await stream.aclose()
    assert not await squall.store.tx(lambda tx: use.wanted.wants(tx, "p.t"))


async def test_a_rule_that_does_not_exist_is_named(squall: Assembly) -> None:
    use = await Explainers(squall).begin()
    with pytest.raises(NotFoundError, match=r"p\.nosuch"):
        await use.decisions.begin("p.nosuch")


async def test_the_decisions_of_a_correlation_are_those_about_the_events_of_all_its_triggers(squall: Assembly) -> None:
    gated = Gated(squall)
    for ref in ("p.t", "p.u"):
        await gated.add_type(ref)
    rule = await gated.saying("a", correlate={"sequence": ["p.u"], "within": "1m"})
    for trigger in ("p.t", "p.u", "p.u"):
        await gated.came(trigger=trigger)
    await gated.at()
    _, position = await gated.decisions.begin("p.a")
    decisions = []
    stream = gated.decisions.follow(rule, 0)
    async for step in stream:
        if step.decision is not None:
            decisions.append(step.decision)
        if step.position == position:
            break
    await stream.aclose()
    assert [each["outcome"] for each in decisions] == ["kept_back", "fired", "kept_back"]
    assert decisions[2]["reason"] == "correlated: waits for event 0"
