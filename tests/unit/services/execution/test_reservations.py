"""Executions that are claimed by the transaction that creates them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import InvalidError, UnavailableError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.execution.executions import Request
from squall.services.execution.reservations import Claimed, Claimer, NoSlots
from squall.services.execution.slots import Slots
from squall.services.lanes import RUN

pytestmark = pytest.mark.anyio


@pytest.fixture
def started(squall: Assembly) -> list[Claimed]:
    """What was started at once; the worker has two slots and knows of no backlog."""
    started: list[Claimed] = []
    slots = Slots(Claimer("w1", 30_000_000, {"hostname": "h", "pid": 1}), 2, started.append, lambda _reservation: None)
    slots.open()
    slots.hold()
    slots.release(0)
    squall.starting.slots = slots
    return started


async def statuses(squall: Assembly, execution: Execution) -> list[str]:
    return [entry.status for entry in (await squall.executions.get(execution.id)).log]


async def test_a_new_execution_is_claimed_by_the_transaction_that_creates_it(
    squall: Assembly, started: list[Claimed]
) -> None:
    made = await squall.request()
    assert made.status == ex.REQUESTED, "the answer is StackStorm's"
    [claimed] = started
    assert (claimed.execution.id, claimed.execution.status) == (made.id, ex.RUNNING)
    assert await statuses(squall, made) == [ex.REQUESTED, ex.SCHEDULED, ex.RUNNING]
    assert await squall.claim() == [], "its row is held"
    assert await squall.finish(claimed.task, claimed.execution)
    assert await statuses(squall, made) == [ex.REQUESTED, ex.SCHEDULED, ex.RUNNING, ex.SUCCEEDED]


async def test_what_a_claim_at_once_leaves_is_what_a_claim_leaves(squall: Assembly, started: list[Claimed]) -> None:
    one = await squall.request()
    squall.starting.slots.reserve(2)
    other = await squall.request()
    [(task, execution, row)] = await squall.claim()
    assert execution.id == other.id
    mine = started[0]
    assert [mine.task.attempts, mine.task.token, mine.task.lane, mine.task.payload] == [
        task.attempts, task.token, task.lane, task.payload
    ]  # fmt: skip
    assert mine.execution.runner_info == execution.runner_info

    async def events(tx: Tx, of: Execution) -> list[str]:
        return [event.name for event in await tx.events.of("execution", of.id)]

    assert await squall.store.read(lambda tx: events(tx, one)) == await squall.store.read(lambda tx: events(tx, other))
    assert mine.row < row


async def test_a_worker_that_dies_before_it_starts_loses_nothing(squall: Assembly, started: list[Claimed]) -> None:
    made = await squall.request()
    assert len(started) == 1
    squall.clock.advance(31)
    [(task, execution, row)] = await squall.claim(owner="w2")
    assert (execution.id, execution.status, task.attempts) == (made.id, ex.RUNNING, 2)
    assert row == started[0].row


async def test_executions_beyond_the_free_slots_are_queued(squall: Assembly, started: list[Claimed]) -> None:
    made = [await squall.request() for _ in range(4)]
    assert [each.execution.id for each in started] == [each.id for each in made[:2]]
    assert [each.execution.id for each in await squall.claim()] == [each.id for each in made[2:]]


async def test_no_queued_execution_is_overtaken(squall: Assembly, started: list[Claimed]) -> None:
    before, squall.starting.slots = squall.starting.slots, NoSlots()
    first = await squall.request()
    squall.starting.slots = before
    second = await squall.request()
    assert started == []
    assert [each.execution.id for each in await squall.claim()] == [first.id, second.id]


@pytest.mark.parametrize("failing", ["rolled back", "refused"])
async def test_nothing_starts_whose_transaction_failed(
    squall: Assembly, started: list[Claimed], monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    tx = squall.store.tx

    async def broken(work: Any, **more: Any) -> Any:
        async def then_fail(session: Tx) -> Any:
            await work(session)
            raise OSError(28, "no space")

        return await tx(then_fail, **more)

    if failing == "rolled back":
        monkeypatch.setattr(squall.store, "tx", broken)
        with pytest.raises(UnavailableError, match="no space"):
            await squall.request()
        monkeypatch.undo()
    else:
        with pytest.raises(InvalidError, match="parent"):
            await squall.request(context={"parent": {"execution_id": "0" * 24}})
    assert started == []
    # Both slots are free again.
    made = [await squall.request(), await squall.request()]
    assert [each.execution.id for each in started] == [each.id for each in made]


async def test_a_transaction_that_the_store_runs_again_claims_once(
    squall: Assembly, started: list[Claimed], monkeypatch: pytest.MonkeyPatch
) -> None:
    tx = squall.store.tx
    attempts: list[int] = []

    async def twice(work: Any, **more: Any) -> Any:
        async def again(session: Tx) -> Any:
            attempts.append(1)
            if len(attempts) == 1:
                await work(session)
                raise RuntimeError("a conflict")
            return await work(session)

        try:
            return await tx(again, **more)
        except RuntimeError:
            return await tx(again, **more)

    monkeypatch.setattr(squall.store, "tx", twice)
    made = await squall.request()
    assert [each.execution.id for each in started] == [made.id]


async def test_what_is_delayed_waits(squall: Assembly, started: list[Claimed]) -> None:
    await squall.executions.request(Request(action="core.local", parameters={"cmd": "true"}, delay=5000))
    assert started == []
    assert (await squall.store.read(lambda tx: tx.queue.depths()))[RUN] == 1
