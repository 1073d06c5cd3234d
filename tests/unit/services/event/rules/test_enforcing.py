"""Writing decisions: each rule at most once for an instance, all of it or nothing, with traces and contexts."""

from __future__ import annotations

import pytest
from tests.doubles.reacting import Reacting

from squall.core.event.rules.records import FAILED, PROCESSED, SUCCEEDED, TriggerInstance
from squall.core.execution.execution import REQUESTED, RUNNING
from squall.ports import Tx
from squall.services.event.rules.deciding import Match
from squall.services.event.rules.enforcing import FIRES, MOST_MATCHES, Verdict
from squall.services.execution.reservations import Claimer, Reservation

pytestmark = pytest.mark.anyio


async def test_an_execution_has_the_context_of_its_rule(reacting: Reacting) -> None:
    await reacting.add_type()
    rule = await reacting.add_rule("a", parameters={"cmd": "echo {{ trigger.n }}"}, action="core.local")
    instance = await reacting.dispatch({"n": 7})
    await reacting.evaluate()
    [execution], [enforcement] = await reacting.executions(), await reacting.enforcements()
    stored = await reacting.instances.get(instance.id)
    assert execution.parameters == {"cmd": "echo 7"}
    assert execution.context["rule"] == {"id": rule.id, "name": "a"}
    assert execution.context["trigger_instance"] == {"id": instance.id, "name": None}
    assert execution.context["trace_context"] == {"id_": stored.trace, "trace_tag": None, "depth": 1}
    assert (enforcement.execution_id, enforcement.status) == (execution.id, SUCCEEDED)
    trace = await reacting.squall.store.read(lambda tx: tx.traces.get(stored.trace))
    assert trace is not None
    assert {(part.kind, part.object_id) for part in trace.parts} == {
        ("trigger_instance", instance.id),
        ("action_execution", execution.id),
        ("rule", rule.id),
    }


async def test_rules_in_a_trace_add_their_executions_to_it(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    await reacting.add_rule("b")
    first = await reacting.dispatch(trace_tag="mine")
    await reacting.dispatch(trace=first.trace, depth=3)
    await reacting.evaluate()
    contexts = [execution.context["trace_context"] for execution in await reacting.executions()]
    assert [(each["id_"], each["depth"]) for each in contexts] == [(first.trace, 1)] * 2 + [(first.trace, 4)] * 2


async def test_more_matches_than_fit_into_one_transaction_all_fire_once(reacting: Reacting) -> None:
    await reacting.add_type()
    count = 2 * MOST_MATCHES + 3
    for number in range(count):
        await reacting.add_rule(f"r{number}")
    first, second = await reacting.dispatch(), await reacting.dispatch()
    await reacting.evaluate()
    for instance in (first, second):
        rules = [each.rule.ref for each in await reacting.enforcements(instances=(instance.id,))]
        assert len(rules) == len(set(rules)) == count
    assert len(await reacting.executions()) == 2 * count


async def test_a_decision_of_many_parts_goes_on_where_it_was_cut_off(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    for number in range(MOST_MATCHES + 1):
        await reacting.add_rule(f"r{number}")
    await reacting.dispatch()
    squall = reacting.squall
    [task] = await squall.store.tx(lambda tx: tx.queue.claim("rules", "w1", squall.clock.now(), 60_000_000, 1))
    [instance] = await reacting.stored()
    decision = await reacting.deciding.decide(instance)
    tx, calls = squall.store.tx, [0]

    async def dying(work: object, **more: object) -> object:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return await tx(work, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(squall.store, "tx", dying)
    with pytest.raises(KeyboardInterrupt):
        await reacting.enforcing.write([(task, decision)])
    monkeypatch.undo()
    assert len(await reacting.enforcements()) == MOST_MATCHES
    await squall.store.tx(lambda tx: tx.queue.free("w1", 0))
    await reacting.evaluate()
    assert len(await reacting.enforcements()) == len(await reacting.executions()) == MOST_MATCHES + 1
    assert (await reacting.instances.get(instance.id)).status == PROCESSED


async def test_a_rule_whose_request_is_refused_fails_alone(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("bad", action="core.local", parameters={"cmd": "{{ trigger.missing }}"})
    await reacting.add_rule("gone", action="core.gone")
    await reacting.add_rule("good")
    await reacting.add_rule("lacking", action="core.local")
    await reacting.dispatch()
    await reacting.evaluate()
    results = {each.rule.ref: (each.status, each.failure_reason or "") for each in await reacting.enforcements()}
    assert {ref: status for ref, (status, _) in results.items()} == {
        "p.bad": FAILED,
        "p.gone": FAILED,
        "p.good": SUCCEEDED,
        "p.lacking": FAILED,
    }
    assert "missing" in results["p.bad"][1]
    assert results["p.gone"][1] == 'Action "core.gone" doesn\'t exist'
    assert "cmd" in results["p.lacking"][1]
    executions = await reacting.executions()
    assert sorted((execution.action, execution.status) for execution in executions) == [
        ("core.local", FAILED),
        ("core.local", FAILED),
        ("core.noop", REQUESTED),
    ]


class Refusing:
    """A gate that keeps back the rule with this ref."""

    def __init__(self, ref: str) -> None:
        self.ref = ref

    async def admit(self, tx: Tx, match: Match, instance: TriggerInstance, now: int) -> Verdict:
        return Verdict(False, "kept back") if match.rule.ref == self.ref else FIRES


async def test_a_gate_keeps_back_one_rule_and_no_other(reacting: Reacting) -> None:
    reacting = Reacting(reacting.squall, [Refusing("p.a")])
    await reacting.add_type()
    await reacting.add_rule("a")
    await reacting.add_rule("b")
    instance = await reacting.dispatch()
    await reacting.evaluate()
    assert [each.rule.ref for each in await reacting.enforcements()] == ["p.b"]
    assert (await reacting.instances.get(instance.id)).status == PROCESSED


class Slots:
    """One free slot, and what was started in it."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def reserve(self, most: int) -> Reservation:
        return Reservation(Claimer("w1", 30_000_000, {}), min(most, 1))

    def settle(self, reservation: Reservation, committed: bool | None) -> None:
        self.started += [claimed.execution.id for claimed in reservation.claimed if committed]


async def test_a_free_worker_runs_the_execution_without_another_transaction(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a")
    slots = Slots()
    reacting.squall.starting.slots = slots
    await reacting.dispatch()
    await reacting.evaluate()
    [execution] = await reacting.executions()
    assert (execution.status, slots.started) == (RUNNING, [execution.id])


async def test_the_explanation_of_a_match_is_kept_with_its_enforcement(reacting: Reacting) -> None:
    await reacting.add_type()
    await reacting.add_rule("a", criteria={"trigger.n": {"type": "gt", "pattern": 3}})
    await reacting.dispatch({"n": 3})
    await reacting.dispatch({"n": 4})
    await reacting.evaluate()
    [enforcement] = await reacting.enforcements()
    explanation = await reacting.instances.explanation(enforcement.id)
    assert b'"value":4' in explanation
    assert await reacting.instances.explanation("f" * 24) == b""
