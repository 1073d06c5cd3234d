"""Gates in the transaction of an evaluation: what fires now, what is kept back, and what is remembered."""

from __future__ import annotations

import msgspec
import pytest
from tests.doubles.gated import Gated
from tests.doubles.reacting import pack_of, rule_body

from squall.core.errors import InvalidError
from squall.core.event.gates import records
from squall.core.event.gates.settings import trigger_types
from squall.core.event.rules.records import FAILED, RuleFilter
from squall.ports import Tx
from squall.services.event.gates import gating as gating_module

pytestmark = pytest.mark.anyio
OTHER = {"trigger": {"type": "p.u"}}


async def reasons(gated: Gated) -> list[str]:
    """The reasons of all matches that were kept back, in order."""

    async def work(tx: Tx) -> list[bytes]:
        events = await tx.events.after(0, 10_000)
        return [await tx.events.document(each.id) for each in events if each.name == "st2.rule__kept_back"]

    return [msgspec.json.decode(each)["reason"] for each in await gated.squall.store.read(work)]


async def test_first_is_quiet_for_each_group_until_the_span_is_over(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "by": "trigger.host"})
    for n, (after, host) in enumerate([(1, "x"), (1, "x"), (1, "y"), (57, "x"), (1, "x"), (0, "x")]):
        await gated.came(n, after, host=host)
    assert await gated.said() == ["0", "2", "4"]
    assert (await reasons(gated))[0] == "throttled: it fired already; it is quiet for 59 s more"


async def test_count_fires_for_the_nth_event_and_counts_anew(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "count", "count": 3})
    for n in range(1, 8):
        await gated.came(n, 10)
    assert await gated.said() == ["3", "6"]


async def test_an_instance_that_is_evaluated_twice_counts_once(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1m", "mode": "count", "count": 2})
    await gated.came(1)
    [instance] = await gated.stored()
    decision = await gated.deciding.decide(instance)

    async def again(tx: Tx) -> bool:
        [match] = decision.matches
        verdict = await gated.gating.admit(tx, match, instance, gated.squall.clock.now())
        return verdict.fires

    assert not await gated.squall.store.tx(again)
    await gated.came(2)
    assert await gated.said() == ["2"]


async def test_a_rule_with_too_many_groups_forgets_the_one_that_was_quiet_longest(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gating_module, "MOST_STATES", 2)
    await gated.saying("a", throttle={"within": "1h", "by": "trigger.host"})
    for n, host in enumerate("xyxzyx"):
        await gated.came(n, host=host)
    # z pushes y out, so y fires again and pushes x out.
    assert await gated.said() == ["0", "1", "3", "4", "5"]


async def test_a_last_event_of_a_group_too_many_fires_at_once(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gating_module, "MOST_STATES", 1)
    await gated.saying("a", throttle={"within": "1h", "by": "trigger.host", "mode": "last"})
    await gated.came(1, host="x")
    await gated.came(2, host="y")
    await gated.at()
    assert await gated.said() == ["2"]
    await gated.at(3600)
    assert await gated.said() == ["2", "1"]


async def test_further_events_are_those_of_their_own_triggers_and_criteria(gated: Gated) -> None:
    entry = {**OTHER, "criteria": {"trigger.ok": {"type": "eq", "pattern": True}}, "by": "trigger.server"}
    rule = await gated.saying(
        "a", "{{ events[0].n }} {{ events[1].n }}", correlate={"all": [entry], "within": "1m", "by": "trigger.host"}
    )
    await gated.came(1, host="x")
    await gated.came(2, trigger="p.u", ok=False, server="x")
    await gated.came(3, trigger="p.u", ok=True, server="y", host="x")
    await gated.came(4, trigger="p.u", ok=True, server="x")
    await gated.at()
    assert await gated.said() == ["1 4"]
    assert trigger_types(rule) == {"p.t", "p.u"}
    found = await gated.squall.store.read(lambda tx: tx.rules.find(RuleFilter(trigger="p.u")))
    assert [each.ref for each in found] == ["p.a"]


async def test_one_event_may_serve_several_rules(gated: Gated) -> None:
    for name in ("a", "b"):
        await gated.saying(name, f"{name} {{{{ trigger.n }}}}", correlate={"any": [OTHER], "within": "1m"})
    await gated.came(1)
    await gated.came(2, trigger="p.u")
    await gated.at()
    assert sorted(await gated.said()) == ["a 2", "b 2"]


async def test_a_complete_correlation_is_throttled(gated: Gated) -> None:
    await gated.saying("a", correlate={"sequence": [OTHER], "within": "1m"}, throttle={"within": "1h"})
    for n in range(3):
        await gated.came(n)
        await gated.came(n, trigger="p.u")
    await gated.at()
    assert await gated.said() == ["0"]


async def test_a_further_event_of_an_unknown_type_is_refused_by_name(gated: Gated) -> None:
    entry = {"trigger": {"type": "p.gone"}}
    with pytest.raises(InvalidError, match=r'correlate, event 1: there is no trigger type "p.gone"'):
        await gated.saying("a", correlate={"all": [entry], "within": 1})


async def test_a_trigger_lives_as_long_as_a_correlation_uses_it(gated: Gated) -> None:
    await gated.add_type("p.hook", parameters_schema={"type": "object", "properties": {"url": {"type": "string"}}})
    entry = {"trigger": {"type": "p.hook", "parameters": {"url": "x"}}}
    rule = await gated.saying("a", correlate={"all": [entry], "within": 1})
    assert len(await gated.triggers.find("p.hook")) == 1
    await gated.rules.delete(rule.id)
    assert await gated.triggers.find("p.hook") == []


async def test_a_silenced_match_is_counted_and_uses_up_no_throttle(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": "1h"})
    made = await gated.silences.create({"rule": "p.a", "reason": "works", "until": "1m"}, "ada")
    await gated.came(1)
    assert (await reasons(gated))[0].startswith("silenced by ada until ")
    kept = await gated.silences.get(made.id)
    assert (kept.count, kept.last_at) == (1, gated.squall.clock.now())
    await gated.came(2, 60)
    assert await gated.said() == ["2"]


@pytest.mark.parametrize("scope", [{"pack": "p"}, {"trigger": "p.t"}, {"rule": "p.a"}])
async def test_a_silence_covers_the_rules_of_its_scope(gated: Gated, scope: dict[str, str]) -> None:
    await gated.saying("a")
    criteria = {"trigger.host": {"type": "eq", "pattern": "x"}}
    await gated.silences.create({**scope, "reason": "works", "until": "1h", "criteria": criteria}, "ada")
    await gated.came(1, host="x")
    await gated.came(2, host="y")
    assert await gated.said() == ["2"]


async def test_more_matches_than_may_be_held_fail_with_a_reason(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gating_module, "MOST_HELD", 1)
    await gated.saying("a", hold=True)
    await gated.came(1)
    await gated.came(2)
    [failed] = await gated.enforcements()
    assert failed.status == FAILED
    assert "held already" in (failed.failure_reason or "")


async def test_a_rule_that_changes_or_goes_loses_its_states_and_their_rows(gated: Gated) -> None:
    body = {"within": "1h", "mode": "last"}
    rule = await gated.saying("a", throttle=body)
    await gated.came(1)
    assert await gated.queued() == 1
    changed = {
        "name": "a", "pack": "p", "enabled": True, "trigger": {"type": "p.t"}, "throttle": body,
        "action": {"ref": "core.local", "parameters": {"cmd": "new {{ trigger.n }}"}},
    }  # fmt: skip
    await gated.rules.update(rule.id, changed)
    assert await gated.queued() == 0
    await gated.came(2)
    await gated.at(3600)
    assert await gated.said() == ["new 2"]
    await gated.rules.delete(rule.id)
    left = await gated.squall.store.read(lambda tx: tx.gates.count(rule.id, records.THROTTLE))
    assert (left, await gated.queued()) == (0, 0)


async def test_a_pack_that_is_registered_again_keeps_the_states_of_its_unchanged_rules(gated: Gated) -> None:
    waiting = rule_body("a", absent={"within": "1m"})
    correlating = rule_body("b", correlate={"all": ["p.u"], "within": "1m"})
    assert await gated.register(pack_of(waiting, correlating)) == []
    await gated.came(1)
    gated.squall.clock.advance(30)
    assert await gated.register(pack_of(waiting, correlating)) == []
    await gated.came(2, 0, trigger="p.u")
    await gated.at()
    assert [each.rule.ref for each in await gated.enforcements()] == ["p.b"]
    await gated.at(30)
    assert [each.rule.ref for each in await gated.enforcements()] == ["p.b", "p.a"]
    await gated.register(pack_of())
    assert await gated.queued() == 0


async def test_a_disabled_rule_waits_for_no_event(gated: Gated) -> None:
    rule = await gated.saying("a", absent={"within": "1m"})
    assert await gated.queued() == 1
    document = {"name": "a", "pack": "p", "trigger": {"type": "p.t"}, "absent": {"within": "1m"},
                "action": {"ref": "core.local"}}  # fmt: skip
    await gated.rules.update(rule.id, {**document, "enabled": False})
    assert await gated.queued() == 0


async def test_paths_that_look_at_too_much_fail_the_match(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": 1, "by": ["trigger..missing"] * 10})
    await gated.saying("b", correlate={"all": [OTHER], "within": 1, "by": ["trigger..missing"] * 10})
    await gated.came(1, deep=[[0] * 1000] * 200)
    enforcements = await gated.enforcements()
    assert {each.rule.ref: (each.failure_reason or "").partition(":")[0] for each in enforcements} == {
        "p.a": "throttle.by",
        "p.b": "correlate.by",
    }
