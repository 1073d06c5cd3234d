"""Workers claim what is due, and end it once."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.assembly import LEASE, Assembly

from squall.core.event.events import ANNOUNCEMENT, EXECUTION, Announcement
from squall.core.execution.execution import Execution
from squall.core.execution.launch import Outcome
from squall.services.lanes import JOURNAL, RUN
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio


async def rows(squall: Assembly, lane: str) -> int:
    return (await squall.store.read(lambda tx: tx.queue.depths())).get(lane, 0)


async def told(squall: Assembly, execution: Execution) -> list[tuple[str, str]]:
    found = await squall.store.read(lambda tx: tx.events.of(EXECUTION, execution.id))
    return [(event.name.removeprefix("st2.execution__"), event.status) for event in found]


async def test_a_claimed_execution_runs(squall: Assembly) -> None:
    made = await squall.request()
    squall.clock.advance(2)
    ((task, execution, row),) = await squall.claim()
    assert execution.status == "running"
    assert (execution.attempt, execution.runner_info) == (1, {"hostname": "h", "pid": 1})
    assert await squall.executions.get(made.id) == execution
    (last,) = [
        event for event in await squall.store.read(lambda tx: tx.events.of(EXECUTION, made.id)) if event.id == row
    ]
    assert last.status == "running"
    assert task.key == made.id
    assert await squall.claim() == []
    assert await rows(squall, JOURNAL) == 0


async def test_no_execution_is_claimed_twice_by_many_workers(squall: Assembly) -> None:
    made = {(await squall.request()).id for _ in range(20)}
    claims = await asyncio.gather(*(squall.claim(3, f"w{number}") for number in range(12)))
    taken = [execution.id for claimed in claims for _, execution, _ in claimed]
    assert sorted(taken) == sorted(made)


async def test_a_finished_execution_has_its_result_end_and_status_record_to_carry(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    squall.clock.advance(3)
    assert await squall.finish(task, execution, "failed", {"stdout": "ü"})
    ended = await squall.executions.get(execution.id)
    assert (ended.status, ended.result, ended.result_size) == ("failed", {"stdout": "ü"}, 15)
    assert ended.end == squall.clock.now()
    assert await rows(squall, RUN) == 0
    assert await rows(squall, JOURNAL) == 1
    assert (await told(squall, execution))[-1] == ("update", "failed")


async def test_finishing_twice_changes_nothing(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    assert await squall.finish(task, execution, result="first")
    squall.clock.advance(1)
    assert await squall.finish(task, execution, "failed", "second")
    assert (await squall.executions.get(execution.id)).result == "first"
    assert await rows(squall, JOURNAL) == 1


async def test_a_worker_whose_lease_ran_out_has_no_say_once_another_has_taken_over(squall: Assembly) -> None:
    old, execution, _ = await squall.start()
    squall.clock.advance(LEASE / 1e6)
    ((new, again, row),) = await squall.claim(owner="w2")
    assert (again.status, again.attempt) == ("running", 1)
    assert row
    assert not await squall.finish(old, execution, "failed", "old")
    assert (await squall.executions.get(execution.id)).status == "running"
    assert await squall.finish(new, again, result="new")
    assert (await squall.executions.get(execution.id)).result == "new"


async def test_a_row_about_an_execution_that_has_ended_is_dropped(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution)
    await squall.store.tx(lambda tx: tx.queue.put(RUN, execution.id, None, 0))
    await squall.store.tx(lambda tx: tx.queue.put(RUN, sample_id(9), None, 0))
    assert await squall.claim() == []
    assert await rows(squall, RUN) == 0


async def test_which_of_some_have_ended_is_told(squall: Assembly) -> None:
    task, ended, _ = await squall.start()
    await squall.finish(task, ended)
    running = await squall.request()
    assert await squall.claims.ended([ended.id, running.id, sample_id(9)]) == {ended.id, sample_id(9)}
    assert await squall.claims.ended([]) == set()


async def announced(squall: Assembly) -> list[tuple[str, bytes]]:
    """The announcements there are: names and documents."""
    found = await squall.store.read(lambda tx: tx.events.after(0, 100))
    rows = [event.id for event in found if event.kind == ANNOUNCEMENT]
    documents = [await squall.store.read(lambda tx, row=row: tx.events.document(row)) for row in rows]  # type: ignore[misc]
    return list(zip([event.name for event in found if event.kind == ANNOUNCEMENT], documents, strict=True))


async def test_an_announcement_is_written_once_with_the_end_of_its_execution(squall: Assembly) -> None:
    task, execution, row = await squall.start()
    outcome = Outcome("succeeded", {"output": "other"}, announcement=Announcement("room.one", {"output": 1}))
    for _ in range(2):
        assert await squall.claims.finish(task, execution, outcome)
    assert await announced(squall) == [("st2.announcement__room.one", b'{"payload":{"output":1},"trace_context":null}')]
    # The announcement is no status of its execution.
    statuses = [event.id for event in await squall.store.read(lambda tx: tx.events.of(EXECUTION, execution.id))]
    assert statuses[-2:] == [row, row + 1]


@pytest.mark.parametrize("status", ["failed", "timeout", "canceled"])
async def test_what_does_not_succeed_announces_nothing(squall: Assembly, status: str) -> None:
    task, execution, _ = await squall.start()
    if status == "canceled":
        await squall.control.cancel(execution.id, "ada")
        status = "succeeded"
    await squall.claims.finish(task, execution, Outcome(status, {}, announcement=Announcement("general", 1)))
    assert (await squall.executions.get(execution.id)).status in ("failed", "timeout", "canceled")
    assert await announced(squall) == []
