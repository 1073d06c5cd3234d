"""Held matches: each is run or discarded once, by people."""

from __future__ import annotations

import pytest
from tests.doubles.gated import Gated

from squall.core.errors import NotFoundError
from squall.core.event.rules.records import FAILED, SUCCEEDED
from squall.core.execution.trace import rule_depth
from squall.services.event.triggers.dispatching import DEEPEST

pytestmark = pytest.mark.anyio


async def test_chosen_matches_run_with_the_rule_as_it_is_now(gated: Gated) -> None:
    rule = await gated.saying("a", hold=True)
    for n in range(3):
        await gated.came(n)
    held, total = await gated.held.find("p.a", None, 0)
    assert ([each.rule_ref for each in held], total) == (["p.a"] * 3, 3)
    body = {"name": "a", "pack": "p", "enabled": True, "trigger": {"type": "p.t"}, "hold": True,
            "action": {"ref": "core.local", "parameters": {"cmd": "new {{ trigger.n }}"}}}  # fmt: skip
    await gated.rules.update(rule.id, body)
    enforcements = await gated.held.run(rule.id, [held[1].id])
    assert [each.trigger_instance_id for each in enforcements] == [held[1].instance]
    assert await gated.said() == ["new 1"]
    await gated.held.run("p.a", None)
    assert sorted(await gated.said()) == ["new 0", "new 1", "new 2"]
    assert await gated.held.run("p.a", None) == []


async def test_a_page_of_held_matches_is_the_oldest_first(gated: Gated) -> None:
    await gated.saying("a", hold=True)
    for n in range(3):
        await gated.came(n)
    everything, _ = await gated.held.find("p.a", None, 0)
    page, total = await gated.held.find("p.a", 1, 1)
    assert (page, total) == (everything[1:2], 3)


async def test_discarded_matches_never_run(gated: Gated) -> None:
    await gated.saying("a", hold=True)
    await gated.came(1)
    [held] = await gated.held.discard("p.a", None)
    with pytest.raises(NotFoundError, match=f"holds no match {held.id}"):
        await gated.held.run("p.a", [held.id])
    assert await gated.said() == []


async def test_an_id_of_another_rule_runs_nothing(gated: Gated) -> None:
    await gated.saying("a", hold=True)
    await gated.saying("b", hold=True)
    await gated.came(1)
    [mine], [other] = (await gated.held.find("p.a", None, 0))[0], (await gated.held.find("p.b", None, 0))[0]
    with pytest.raises(NotFoundError):
        await gated.held.run("p.a", [mine.id, other.id])
    assert await gated.said() == []


async def test_two_requests_run_a_match_once(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    await gated.saying("a", hold=True)
    await gated.came(1)
    later, calls = gated.deciding.later, [0]

    async def slow(*values: object) -> object:
        calls[0] += 1
        if calls[0] == 1:
            assert len(await gated.held.run("p.a", None)) == 1
        return await later(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(gated.deciding, "later", slow)
    assert await gated.held.run("p.a", None) == []
    assert await gated.said() == ["1"]


async def test_a_match_that_is_discarded_while_it_is_rendered_does_not_run(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gated.saying("a", hold=True)
    await gated.came(1)
    later = gated.deciding.later

    async def slow(*values: object) -> object:
        await gated.held.discard("p.a", None)
        return await later(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(gated.deciding, "later", slow)
    assert await gated.held.run("p.a", None) == []
    assert await gated.said() == []


async def test_a_match_whose_parameters_cannot_be_rendered_fails_and_is_held_no_more(gated: Gated) -> None:
    await gated.saying("a", "{{ trigger.missing }}", hold=True)
    await gated.came(1)
    [enforcement] = await gated.held.run("p.a", None)
    assert enforcement.status == FAILED
    assert (await gated.held.find("p.a", None, 0))[1] == 0


async def test_a_match_whose_event_is_gone_says_so(gated: Gated) -> None:
    await gated.saying("a", hold=True)
    await gated.came(1)
    await gated.squall.store.tx(lambda tx: tx.instances.expire(gated.squall.clock.now() + 1, 10))
    [enforcement] = await gated.held.run("p.a", None)
    assert "not stored any more" in (enforcement.failure_reason or "")


async def test_a_held_correlation_has_its_events(gated: Gated) -> None:
    entry = {"trigger": {"type": "p.u"}}
    await gated.saying("a", "{{ events[0].n }} {{ events[1].n }}", correlate={"all": [entry], "within": 60}, hold=True)
    await gated.came(1)
    await gated.came(2, trigger="p.u")
    [enforcement] = await gated.held.run("p.a", None)
    assert enforcement.status == SUCCEEDED
    assert await gated.said() == ["1 2"]


async def test_matches_of_a_deleted_rule_are_gone(gated: Gated) -> None:
    rule = await gated.saying("a", hold=True)
    await gated.came(1)
    await gated.rules.delete(rule.id)
    with pytest.raises(NotFoundError):
        await gated.held.find("p.a", None, 0)
    assert await gated.squall.store.read(lambda tx: tx.gates.held_count(rule.id)) == 0


async def test_what_an_execution_runs_is_one_rule_deeper_than_the_execution(gated: Gated) -> None:
    """Beyond the deepest, it fails with a reason, so a rule that runs its own matches stops."""
    await gated.saying("a", hold=True)
    for depth in (3, DEEPEST, DEEPEST + 1):
        caller = await gated.squall.request(context={"trace_context": {"depth": depth}})
        instance = await gated.came(depth)
        [enforcement] = await gated.held.run("p.a", None, caller.id)
        if depth > DEEPEST:
            assert "so a loop is likely" in (enforcement.failure_reason or "")
            assert enforcement.execution_id is None
        else:
            depths = {each.id: rule_depth(each.context) for each in await gated.executions()}
            assert depths[enforcement.execution_id or ""] == depth + 1
        assert (await gated.instances.get(instance.id)).depth == 0


async def test_a_match_that_was_discarded_says_so(gated: Gated) -> None:
    await gated.saying("a", hold=True)
    instance = await gated.came(1)
    await gated.held.discard("p.a", None)
    assert await gated.decided(instance) == {"p.a": ("kept_back", "held, then discarded")}
