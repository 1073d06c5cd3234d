"""Why an execution waits."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.execution.execution import Execution
from squall.services.execution.waiting import Wait, Waiting
from squall.testing.samples import sample_action, sample_runner

pytestmark = pytest.mark.anyio


async def why(squall: Assembly, execution: Execution, **known: Any) -> Wait | None:
    at_keeper = known.get("at_keeper", lambda _execution_id: "")
    held_up = known.get("held_up", lambda _execution_id: "")
    set_aside = known.get("set_aside", lambda _execution_id: "")
    room, runners = known.get("room", 5), known.get("runners", ["local-shell-cmd"])
    waiting = Waiting(squall.store, squall.clock, at_keeper, held_up, set_aside, lambda: room, runners)
    return await waiting.reason(await squall.executions.get(execution.id))


async def test_one_in_the_queue_says_its_place(squall: Assembly) -> None:
    await squall.request(delay=60_000)
    made = [await squall.request() for _ in range(3)]
    found = await why(squall, made[2])
    assert found == Wait("queue", "place 3 in the queue", 3)
    assert found.document() == {"reason": "queue", "position": 3}
    full = await why(squall, made[0], room=0)
    assert full == Wait("queue", "place 1 in the queue; the worker has no room for more", 1)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"room": None}, "no worker for local-shell-cmd: the server takes no work"),
        ({"runners": []}, "no worker for local-shell-cmd: the server has no such runner"),
    ],
)
async def test_one_that_nobody_can_run_says_so(squall: Assembly, known: dict[str, Any], text: str) -> None:
    found = await why(squall, await squall.request(), **known)
    assert found == Wait("no_worker", text, 1, runner="local-shell-cmd")


async def test_a_delayed_one_says_until_when(squall: Assembly) -> None:
    made = await squall.request(delay=1500)
    until = "2026-01-01T12:00:01.500000Z"
    assert await why(squall, made) == Wait("delay", f"waits until {until}, the end of its delay", until=until)
    squall.clock.advance(2)
    assert await why(squall, made) == Wait("queue", "place 1 in the queue", 1)


async def test_a_workflow_needs_no_worker(squall: Assembly) -> None:
    squall.source.runners.append(sample_runner("orquesta"))
    squall.source.packs[0][1].append(sample_action("core.flow", runner_type="orquesta"))
    await squall.registration.register()
    made = await squall.request("core.flow")
    assert await why(squall, made, room=None) == Wait("queue", "place 1 in the queue", 1)


async def test_one_in_line_says_its_place_its_policy_and_who_holds_it_up(squall: Assembly) -> None:
    given = {"pack": "core", "resource_ref": "core.local"}
    await squall.policies.create(
        {**given, "name": "wide", "policy_type": "action.concurrency", "parameters": {"threshold": 9}}
    )
    by_cmd = {"threshold": 1, "attributes": ["cmd"]}
    await squall.policies.create(
        {**given, "name": "narrow", "policy_type": "action.concurrency.attr", "parameters": by_cmd}
    )
    made = [await squall.request() for _ in range(3)]
    await squall.claim()
    holder = made[0].id
    text = f"place 2 in the line of the policy core.narrow, held up by {holder}"
    assert await why(squall, made[2]) == Wait("policy", text, 2, policy="core.narrow", threshold=1, holders=[holder])


async def test_of_many_holders_some_are_named(squall: Assembly) -> None:
    given = {"name": "limit", "pack": "core", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    await squall.policies.create({**given, "parameters": {"threshold": 7}})
    made = [await squall.request() for _ in range(8)]
    await squall.claim()
    found = await why(squall, made[7])
    assert found is not None
    assert found.holders == [execution.id for execution in made[:5]]
    assert found.text.endswith(f"{made[4].id} and 2 more")


async def test_a_running_one_waits_for_its_keeper_or_for_nothing(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    assert await why(squall, execution) is None
    assert await why(squall, execution, at_keeper=lambda _id: "the disk is full") == Wait("keeper", "the disk is full")


async def test_one_that_has_ended_waits_for_nothing(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution)
    assert await why(squall, execution) is None


async def test_one_that_waits_for_the_machine_says_which_error_is_in_the_way(squall: Assembly) -> None:
    await squall.request()
    ((_, execution, _),) = await squall.claim()
    wait = await why(squall, execution, held_up=lambda _execution_id: "waits, and tries again: disk full")
    assert wait == Wait("environment", "waits, and tries again: disk full")
