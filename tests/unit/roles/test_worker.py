"""The worker: takes what is due, runs it side by side, passes cancels on, and stops as it was asked to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly, assembled, scripted

from squall.adapters.bus.inproc import DeafBus
from squall.core.errors import UnavailableError
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.launch import Outcome
from squall.ports import Tx
from squall.roles.worker import Worker
from squall.services.execution.reservations import Claimed, Claimer
from squall.testing.waiting import PATIENCE, called, eventually, turns

pytestmark = pytest.mark.anyio


def worker_of(squall: Assembly, **changes: Any) -> Worker:
    known: dict[str, Any] = {"owner": "w1", "slots": 3, "lease": 30.0, "poll": 0.05}
    return Worker(
        squall.control,
        squall.claims,
        squall.running,
        squall.launcher,
        squall.store,
        squall.bus,
        squall.clock,
        squall.starting,
        **(known | changes),
    )


@asynccontextmanager
async def working(squall: Assembly, **changes: Any) -> AsyncIterator[Worker]:
    """A worker at work, until the block ends."""
    async with asyncio.TaskGroup() as group:
        worker = worker_of(squall, **changes)
        work = group.create_task(worker.run())
        await asyncio.sleep(0)
        yield worker
        work.cancel()


async def status(squall: Assembly, execution: Execution) -> str:
    return (await squall.executions.get(execution.id)).status


async def ends_as(squall: Assembly, execution: Execution, expected: str) -> None:
    async def reached() -> bool:
        return (await squall.executions.get(execution.id)).end is not None

    await eventually(reached, "it ends")
    assert await status(squall, execution) == expected


@pytest.fixture(params=["hints", "deaf"])
async def squall(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Assembly]:
    async with assembled(tmp_path, bus=DeafBus() if request.param == "deaf" else None) as made:
        yield made


async def test_what_is_requested_is_run_and_ended(squall: Assembly) -> None:
    async with working(squall) as worker:
        made = await squall.request()
        spec = await scripted(squall).starting(made.id)
        assert worker.running() == 1
        running = await squall.executions.get(made.id)
        assert running.runner_info["pid"] == os.getpid()
        scripted(squall).show(spec, b"hello\n")
        scripted(squall).end(spec)
        await ends_as(squall, made, "succeeded")
        assert (await squall.executions.get(made.id)).result["stdout"] == "hello"
        # The keeper is told after the end is stored, and viewers may see the end before that.
        await eventually(lambda: scripted(squall).acknowledged == [made.id], "the keeper is told")


async def test_what_was_requested_while_nobody_worked_is_run(squall: Assembly) -> None:
    made = [await squall.request("core.noop") for _ in range(5)]
    async with working(squall):
        for each in made:
            await ends_as(squall, each, "succeeded")


async def test_a_request_costs_one_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with assembled(tmp_path) as squall:
        claim, claims = squall.claims.claim, 0

        async def counted(*given: Any) -> Any:
            nonlocal claims
            claims += 1
            return await claim(*given)

        monkeypatch.setattr(squall.claims, "claim", counted)
        async with working(squall, poll=10 * PATIENCE):
            for number in range(1, 4):
                await ends_as(squall, await squall.request("core.noop"), "succeeded")
                # The first one is that of a worker that has just begun.
                assert claims <= number + 1


async def test_no_more_run_at_once_than_there_are_slots(squall: Assembly) -> None:
    made = [await squall.request() for _ in range(5)]
    async with working(squall, slots=2) as worker:
        first = [await scripted(squall).starting(each.id) for each in made[:2]]
        await called(squall.claims, "stopping")
        assert worker.running() == 2
        assert len(scripted(squall).spawned) == 2
        scripted(squall).end(first[0])
        third = await scripted(squall).starting(made[2].id)
        for spec in (first[1], third):
            scripted(squall).end(spec)
        for each in made[3:]:
            scripted(squall).end(await scripted(squall).starting(each.id))
        for each in made:
            await ends_as(squall, each, "succeeded")


async def test_what_is_delayed_is_run_when_it_is_due(squall: Assembly) -> None:
    made = await squall.request("core.noop", delay=60_000)
    async with working(squall):
        await called(squall.claims, "claim")
        assert await status(squall, made) == "delayed"
        squall.clock.advance(60)
        await ends_as(squall, made, "succeeded")


async def test_a_cancel_reaches_the_process(squall: Assembly) -> None:
    async with working(squall):
        made = await squall.request()
        await scripted(squall).starting(made.id)
        await squall.control.cancel(made.id, "ada")
        await ends_as(squall, made, "canceled")
    assert made.id in scripted(squall).canceled


async def test_what_others_cancel_is_left_alone(squall: Assembly) -> None:
    async with working(squall):
        mine = await squall.request()
        spec = await scripted(squall).starting(mine.id)
        other = await squall.request(delay=60_000)
        await squall.control.cancel(other.id, "ada")
        await called(squall.claims, "stopping")
        assert scripted(squall).canceled == []
        scripted(squall).end(spec)
        await ends_as(squall, mine, "succeeded")


async def test_leases_of_what_runs_are_renewed(squall: Assembly) -> None:
    async with working(squall, lease=0.3):
        made = await squall.request()
        spec = await scripted(squall).starting(made.id)
        due = await squall.store.read(lambda tx: tx.queue.next_due("run"))
        squall.clock.advance(0.2)

        async def renewed() -> bool:
            return await squall.store.read(lambda tx: tx.queue.next_due("run")) != due

        await eventually(renewed, "the lease is renewed")
        assert len(await squall.claims.claim(Claimer("w2", 1, {}), 10)) == 0
        scripted(squall).end(spec)
        await ends_as(squall, made, "succeeded")


async def test_a_worker_that_stops_lets_what_runs_end_and_takes_no_more(squall: Assembly) -> None:
    async with working(squall) as worker:
        made = await squall.request()
        spec = await scripted(squall).starting(made.id)
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(worker.stop(PATIENCE))
            await asyncio.sleep(0)
            late = await squall.request()
            await called(squall.claims, "stopping")
            assert not stopping.done()
            scripted(squall).end(spec)
        assert await status(squall, made) == "succeeded"
        assert await status(squall, late) == "requested"


@pytest.mark.parametrize("hurried", [False, True])
async def test_what_does_not_end_within_the_grace_time_is_canceled(squall: Assembly, hurried: bool) -> None:
    async with working(squall) as worker:
        made = await squall.request()
        await scripted(squall).starting(made.id)
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(worker.stop(10 * PATIENCE if hurried else 0.05))
            await turns()
            if hurried:
                worker.hurry()
        ended = await squall.executions.get(made.id)
        assert (ended.status, ended.result["user"]) == ("canceled", "system")
        assert worker.running() == 0


async def test_an_idle_worker_stops_at_once_and_twice(squall: Assembly) -> None:
    async with working(squall) as worker:
        async with asyncio.timeout(PATIENCE):
            await worker.stop(10 * PATIENCE)
            await worker.stop(10 * PATIENCE)


async def test_stopping_before_the_start_is_not_lost(squall: Assembly) -> None:
    worker = worker_of(squall)
    worker.pause()
    made = await squall.request("core.noop")
    async with asyncio.TaskGroup() as group:
        work = group.create_task(worker.run())
        await called(squall.claims, "stopping")
        assert await status(squall, made) == "requested"
        work.cancel()


async def test_nothing_is_begun_once_stop_has_returned(squall: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = squall.claims.claim
    claiming, stopping = asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        claiming.set()
        await stopping.wait()
        return await claim(*arguments)

    monkeypatch.setattr(squall.claims, "claim", slow)
    made = await squall.request()
    async with working(squall) as worker:
        await claiming.wait()
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(worker.stop(0.01))
            await turns()
            stopping.set()
        before = await status(squall, made)
        await called(squall.claims, "stopping")
        assert (before, await status(squall, made)) in (("requested", "requested"), ("canceled", "canceled"))


async def test_a_store_that_fails_for_a_while_stops_no_worker(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("squall.roles.worker._BACK_OFF", 0.02)
    broken = [3, 3]
    claim, finish = squall.claims.claim, squall.claims.finish

    async def failing_claim(*arguments: Any) -> Any:
        if broken[0]:
            broken[0] -= 1
            raise UnavailableError("the database is away")
        return await claim(*arguments)

    async def failing_finish(*arguments: Any) -> Any:
        if broken[1]:
            broken[1] -= 1
            raise UnavailableError("the database is away")
        return await finish(*arguments)

    monkeypatch.setattr(squall.claims, "claim", failing_claim)
    monkeypatch.setattr(squall.claims, "finish", failing_finish)
    made = await squall.request("core.noop")
    async with working(squall):
        await ends_as(squall, made, "succeeded")
    assert broken == [0, 0]


async def test_a_look_that_fails_for_a_while_stops_no_worker(squall: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("squall.roles.worker._BACK_OFF", 0.02)
    read, broken = squall.store.read, [3]

    async def failing(work: Any) -> Any:
        if broken[0]:
            broken[0] -= 1
            raise UnavailableError("the database is away")
        return await read(work)

    async with working(squall):
        monkeypatch.setattr(squall.store, "read", failing)

        await eventually(lambda: not broken[0], "every failure has happened")
        made = await squall.request("core.noop")
        await ends_as(squall, made, "succeeded")


async def test_an_outcome_that_cannot_be_kept_is_told_and_stops_no_worker(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = squall.running.run
    first = True

    async def odd(execution: Execution, row: int) -> Outcome:
        nonlocal first
        if first:
            first = False
            return Outcome("succeeded", {1: object()})
        return await run(execution, row)

    monkeypatch.setattr(squall.running, "run", odd)
    bad = await squall.request("core.noop")
    async with working(squall):
        await ends_as(squall, bad, "failed")
        good = await squall.request("core.noop")
        await ends_as(squall, good, "succeeded")


@pytest.mark.parametrize("fault", ["unclear", "cancelled", "cancelled before it ran"])
async def test_an_execution_whose_creator_does_not_know_the_commit_is_run_without_waiting_for_its_lease(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    async with asyncio.TaskGroup() as group, working(squall, lease=6_000.0) as worker:
        await eventually(lambda: not worker._slots._backlog, "transactions may claim")
        tx = squall.store.tx

        async def committed(work: Any, **more: Any) -> Any:
            if asyncio.current_task() is not creating:
                return await tx(work, **more)
            running = group.create_task(tx(work, **more))
            if fault != "cancelled before it ran":
                await asyncio.wait([running])
            if fault == "unclear":
                raise UnavailableError("The disk failed.")
            raise asyncio.CancelledError

        async def refused() -> None:
            with pytest.raises((asyncio.CancelledError, UnavailableError)):
                await squall.request()

        monkeypatch.setattr(squall.store, "tx", committed)
        creating = group.create_task(refused())
        await creating

        async def stored() -> Any:
            return await squall.store.read(lambda tx: tx.executions.find(ExecutionFilter(), 1, 0, False))

        (made,) = await eventually(stored, "the execution is stored")
        spec = await scripted(squall).starting(made.id)
        scripted(squall).end(spec)
        await ends_as(squall, made, "succeeded")


async def test_a_commit_that_failed_gives_no_row_of_others_back(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimer = Claimer("w1", 600_000_000, {})
    claimed: list[Claimed] = []

    async def rolled_back(tx: Tx) -> None:
        claimed.append(await claim(tx, "0" * 24))
        raise OSError(28, "no space")

    async def claim(tx: Tx, key: str) -> Claimed:
        execution = msgspec.structs.replace(made, id=key)
        return Claimed(
            await tx.queue.put_claimed("run", key, None, "w1", squall.clock.now(), claimer.lease), execution, 0
        )

    made = await squall.request()
    with pytest.raises(UnavailableError):
        await squall.store.tx(rolled_back)
    other = await squall.store.tx(lambda tx: claim(tx, "1" * 24))
    assert (other.task.id, other.task.token) == (claimed[0].task.id, claimed[0].task.token)
    await squall.claims.give_back(claimed)
    assert await squall.store.tx(lambda tx: tx.queue.done(other.task))
