"""Policies of concurrency: who runs, who waits in line, who is turned away."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly

from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.execution.reservations import Claimed
from squall.services.lanes import ADVANCE, RUN
from squall.testing.samples import sample_action, sample_runner

pytestmark = pytest.mark.anyio


async def limit(squall: Assembly, threshold: int, name: str = "limit", **changes: Any) -> str:
    """A policy for `core.local`; gives its ref."""
    kind = changes.pop("policy_type", "action.concurrency")
    given = {"name": name, "pack": "core", "resource_ref": "core.local", "policy_type": kind}
    made = await squall.policies.create({**given, "parameters": {"threshold": threshold, **changes}})
    return made.ref


async def requested(squall: Assembly, count: int, **changes: Any) -> list[str]:
    made = []
    for _ in range(count):
        squall.clock.advance(0.001)
        made.append((await squall.request(**changes)).id)
    return made


async def statuses(squall: Assembly, ids: list[str]) -> list[str]:
    return [(await squall.executions.get(execution_id)).status for execution_id in ids]


async def log_of(squall: Assembly, execution_id: str) -> list[str]:
    return [entry.status for entry in (await squall.executions.get(execution_id)).log]


def ids(claimed: list[Claimed]) -> list[str]:
    return [execution.id for _, execution, _ in claimed]


async def begin(squall: Assembly, workflow: Execution) -> bool:
    """Whether a workflow may begin; then it runs."""

    async def work(tx: Tx) -> bool:
        now = squall.clock.now()
        if not await squall.transitions.admit(tx, workflow, now):
            await tx.queue.discard(ADVANCE, workflow.id)
            return False
        scheduled, _ = await squall.transitions.move(tx, workflow, "scheduled", now)
        await squall.transitions.move(tx, scheduled, "running", now)
        return True

    return await squall.store.tx(work)


async def test_no_more_run_than_the_threshold_and_the_others_wait_without_a_queue_row(squall: Assembly) -> None:
    await limit(squall, 2)
    made = await requested(squall, 5)
    assert ids(await squall.claim()) == made[:2]
    assert await statuses(squall, made) == ["running"] * 2 + ["delayed"] * 3
    depths = await squall.store.read(lambda tx: tx.queue.depths())
    assert depths[RUN] == 2
    assert await squall.claim() == []


async def test_a_line_is_first_come_first_served(squall: Assembly) -> None:
    await limit(squall, 10)
    made = await requested(squall, 200)
    order: list[str] = []
    while claimed := await squall.claim(30):
        assert len(claimed) <= 10
        order += ids(claimed)
        for task, execution, _ in claimed:
            await squall.finish(task, execution)
    assert order == made
    assert set(await statuses(squall, made)) == {"succeeded"}
    assert await log_of(squall, made[-1]) == [
        "requested", "delayed", "requested", "scheduled", "running", "succeeded"
    ]  # fmt: skip


async def test_who_is_let_in_is_told_to_the_workers(squall: Assembly) -> None:
    await limit(squall, 1)
    first, second = await requested(squall, 2)
    ((task, execution, _),) = await squall.claim()
    with squall.bus.subscribe(RUN) as hints:
        await squall.finish(task, execution)
        assert await hints.wait(0) == {second}
    assert first == execution.id


async def test_executions_of_other_attributes_do_not_wait_for_each_other(squall: Assembly) -> None:
    await limit(squall, 1, policy_type="action.concurrency.attr", attributes=["cmd"])
    made = [(await squall.request(parameters={"cmd": cmd})).id for cmd in ("a", "a", "b", "a", "b")]
    first = await squall.claim()
    assert ids(first) == [made[0], made[2]]
    await squall.finish(*first[1][:2])
    assert ids(await squall.claim()) == [made[4]]
    await squall.finish(*first[0][:2])
    assert ids(await squall.claim()) == [made[1]]


async def test_secret_attributes_are_compared_by_what_they_are(squall: Assembly) -> None:
    await limit(squall, 1, policy_type="action.concurrency.attr", attributes=["password"])
    made = [(await squall.request(parameters={"cmd": "x", "password": word})).id for word in ("one", "one", "two")]
    assert ids(await squall.claim()) == [made[0], made[2]]


async def test_a_default_counts_like_the_same_value_given(squall: Assembly) -> None:
    await limit(squall, 1, policy_type="action.concurrency.attr", attributes=["timeout"])
    made = [(await squall.request(parameters={"cmd": "x"} | more)).id for more in ({}, {"timeout": 60}, {"timeout": 5})]
    assert ids(await squall.claim()) == [made[0], made[2]]


async def test_who_needs_two_places_has_both_or_none(squall: Assembly) -> None:
    await limit(squall, 3, "all")
    await limit(squall, 1, "by_cmd", policy_type="action.concurrency.attr", attributes=["cmd"])
    made = [(await squall.request(parameters={"cmd": cmd})).id for cmd in ("a", "a", "a", "b", "c", "d")]
    running = await squall.claim()
    # Those that wait for "a" stand in nobody else's way.
    assert ids(running) == [made[0], made[3], made[4]]
    await squall.finish(*running[1][:2])
    assert ids(await squall.claim()) == [made[5]]
    await squall.finish(*running[0][:2])
    assert ids(await squall.claim()) == [made[1]]


async def test_a_policy_may_turn_away_instead(squall: Assembly) -> None:
    ref = await limit(squall, 1, action="cancel")
    first, second = await requested(squall, 2)
    assert ids(await squall.claim()) == [first]
    away = await squall.executions.get(second)
    assert away.status == "canceled"
    assert [entry.status for entry in away.log] == ["requested", "canceling", "canceled"]
    assert ref in away.result["message"]
    assert away.context["cancelled_by"] == ref
    assert (await squall.store.read(lambda tx: tx.queue.depths())).get(RUN) == 1


async def test_one_who_waits_can_be_canceled_and_leaves_the_line(squall: Assembly) -> None:
    await limit(squall, 1)
    made = await requested(squall, 3)
    ((task, execution, _),) = await squall.claim()
    assert (await squall.control.cancel(made[1], "ada")).status == "canceled"
    await squall.finish(task, execution)
    assert ids(await squall.claim()) == [made[2]]


async def test_canceling_one_that_was_let_in_and_not_yet_claimed_lets_the_next_in(squall: Assembly) -> None:
    await limit(squall, 1)
    made = await requested(squall, 3)
    ((task, execution, _),) = await squall.claim()
    await squall.finish(task, execution)
    assert (await squall.control.cancel(made[1], "ada")).status == "canceled"
    assert ids(await squall.claim()) == [made[2]]


async def test_one_who_is_being_canceled_holds_its_place_until_its_end(squall: Assembly) -> None:
    await limit(squall, 1)
    made = await requested(squall, 2)
    ((task, execution, _),) = await squall.claim()
    await squall.control.cancel(made[0], "ada")
    assert await squall.claim() == []
    await squall.finish(task, execution)
    assert ids(await squall.claim()) == [made[1]]


async def test_a_worker_that_takes_over_finds_the_place_held(squall: Assembly) -> None:
    await limit(squall, 1)
    await requested(squall, 1)
    await squall.claim(owner="w1")
    squall.clock.advance(100)
    ((task, execution, _),) = await squall.claim(owner="w2")
    assert await squall.finish(task, execution)
    assert (await squall.executions.get(execution.id)).status == "succeeded"


async def test_a_higher_threshold_lets_in_at_once(squall: Assembly) -> None:
    ref = await limit(squall, 1)
    made = await requested(squall, 4)
    await squall.claim()
    changed = {"name": "limit", "pack": "core", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    await squall.policies.update(ref, {**changed, "parameters": {"threshold": 3}})
    assert ids(await squall.claim()) == made[1:3]


@pytest.mark.parametrize("how", ["disable", "delete"])
async def test_without_their_policy_all_who_waited_run_in_order(squall: Assembly, how: str) -> None:
    ref = await limit(squall, 1)
    made = await requested(squall, 4)
    await squall.claim()
    if how == "delete":
        await squall.policies.delete(ref)
    else:
        changed = {"name": "limit", "pack": "core", "resource_ref": "core.local", "policy_type": "action.concurrency"}
        await squall.policies.update(ref, {**changed, "enabled": False, "parameters": {"threshold": 1}})
    assert ids(await squall.claim()) == made[1:]


async def test_a_new_policy_counts_those_who_run_already(squall: Assembly) -> None:
    made = await requested(squall, 2)
    running = await squall.claim()
    await limit(squall, 2)
    (third,) = await requested(squall, 1)
    assert await squall.claim() == []
    await squall.finish(*running[0][:2])
    assert ids(await squall.claim()) == [third]
    assert ids(running) == made


async def test_a_delayed_execution_enters_the_line_when_its_time_has_come(squall: Assembly) -> None:
    await limit(squall, 1)
    late = await squall.request(delay=1000)
    (first, second) = await requested(squall, 2)
    ((task, execution, _),) = await squall.claim()
    assert execution.id == first
    squall.clock.advance(2)
    assert await squall.claim() == []
    await squall.finish(task, execution)
    ((task, execution, _),) = await squall.claim()
    assert execution.id == second
    await squall.finish(task, execution)
    assert ids(await squall.claim()) == [late.id]


async def test_a_child_waits_for_no_workflow(squall: Assembly) -> None:
    flow = sample_action("core.local", runner_type="orquesta", parameters={"cmd": {}})
    squall.source.runners.append(sample_runner("orquesta"))
    local = squall.source.packs[0][1][1]
    squall.source.packs[0][1][1] = flow
    await squall.registration.register()
    await limit(squall, 1)
    parent = await squall.request()
    waits = await squall.request()
    assert [await begin(squall, execution) for execution in (parent, waits)] == [True, False]
    squall.source.packs[0][1][1] = local
    await squall.registration.register()
    root = await squall.request()
    child = await squall.child_of(parent)
    sibling = await squall.child_of(parent)
    ((task, running, _),) = await squall.claim()
    assert running.id == child.id
    await squall.finish(task, running)
    assert ids(await squall.claim()) == [sibling.id]
    assert await statuses(squall, [waits.id, root.id]) == ["delayed", "delayed"]


async def test_places_go_with_a_purged_execution(squall: Assembly) -> None:
    await limit(squall, 1)
    made = await requested(squall, 2)
    await squall.claim()
    await squall.store.tx(lambda tx: tx.retention.purge([made[1]]))
    assert await squall.store.read(lambda tx: tx.slots.of_execution(made[1])) == []


async def test_an_execution_without_policies_has_no_place(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    assert await squall.store.read(lambda tx: tx.slots.of_execution(execution.id)) == []
    assert await squall.finish(task, msgspec.structs.replace(execution))
