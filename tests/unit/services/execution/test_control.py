"""What clients request of executions that exist: a cancel, a pause, a resume."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.execution.test_executions import rows, told

from squall.core.errors import ConflictError, InvalidError
from squall.core.execution.execution import FINAL
from squall.services.lanes import CANCEL, CHANGED, RUN
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("delay", [None, 5000])
async def test_what_has_not_started_is_canceled_at_once(squall: Assembly, delay: int | None) -> None:
    made = await squall.request(delay=delay)
    squall.clock.advance(1)
    canceled = await squall.control.cancel(made.id, "bob")
    assert (canceled.status, canceled.end) == ("canceled", squall.clock.now())
    assert canceled.result == {"message": "Action canceled by user.", "user": "bob"}
    assert canceled.context["cancelled_by"] == "bob"
    assert await rows(squall, RUN) == 0
    squall.clock.advance(100)
    assert await squall.claim() == []


async def test_what_runs_is_canceling_until_its_processes_are_gone(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    asked = await squall.control.cancel(execution.id, "ada")
    assert (asked.status, asked.end) == ("canceling", None)
    assert await squall.claims.stopping([execution.id, sample_id(9)]) == [execution.id]
    assert await squall.finish(task, execution, "succeeded", {"stdout": "too late"})
    ended = await squall.executions.get(execution.id)
    assert (ended.status, ended.result) == ("canceled", {"message": "Action canceled by user.", "user": "ada"})
    assert [entry.status for entry in ended.log][-3:] == ["running", "canceling", "canceled"]
    assert await squall.claims.stopping([execution.id]) == []
    assert await squall.claims.stopping([]) == []


async def test_canceling_tells_workers_and_readers(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    with squall.bus.subscribe(CANCEL) as cancels, squall.bus.subscribe(CHANGED) as changes:
        await squall.control.cancel(execution.id, "ada")
        assert await cancels.wait(0) == {execution.id}
        assert await changes.wait(0) == {execution.tree}


async def test_what_is_canceled_already_is_given_back_unchanged(squall: Assembly) -> None:
    made = await squall.request()
    first = await squall.control.cancel(made.id, "bob")
    squall.clock.advance(5)
    assert await squall.control.cancel(made.id, "eve") == first
    assert len(await told(squall, made)) == 2


async def test_a_second_cancel_of_what_still_runs_is_refused_in_stackstorms_words(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    await squall.control.cancel(execution.id, "ada")
    with pytest.raises(ConflictError, match=r"Action cannot be canceled. State = canceling."):
        await squall.control.cancel(execution.id, "ada")
    assert len(await told(squall, execution)) == 4


@pytest.mark.parametrize("status", sorted(FINAL - {"canceled"}))
async def test_what_has_ended_cannot_be_canceled(squall: Assembly, status: str) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution, status)
    with pytest.raises(ConflictError, match=rf"Action cannot be canceled. State = {status}."):
        await squall.control.cancel(execution.id, "ada")
    assert (await squall.executions.get(execution.id)).result == "done"


async def test_claim_and_cancel_at_once_leave_one_of_two_stories(squall: Assembly) -> None:
    for _ in range(10):
        made = await squall.request()
        claimed, canceled = await asyncio.gather(squall.claim(), squall.control.cancel(made.id, "ada"))
        assert canceled.status == ("canceling" if claimed else "canceled")
        for task, execution, _ in claimed:
            await squall.finish(task, execution)
        assert (await squall.executions.get(made.id)).status == "canceled"


@pytest.mark.parametrize("status", ["canceling", "canceled"])
async def test_a_client_may_set_an_execution_to_canceled(squall: Assembly, status: str) -> None:
    made = await squall.request()
    canceled = await squall.control.update(made.id, status, "eve")
    assert (canceled.status, canceled.context["cancelled_by"]) == ("canceled", "eve")
    with pytest.raises(InvalidError, match=r"Execution is already in completed state."):
        await squall.control.update(made.id, status, "ada")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("paused", 'Unable to pause liveaction ".*" because it is not supported by the "local-shell-cmd" runner'),
        ("pausing", "Unable to pause"),
        ("resuming", "Unable to resume"),
        ("running", "cannot be set by a client"),
        ("scheduled", "cannot be set by a client"),
    ],
)
async def test_a_client_may_set_nothing_else(squall: Assembly, status: str, message: str) -> None:
    made = await squall.request()
    with pytest.raises(InvalidError, match=message):
        await squall.control.update(made.id, status, "ada")
    assert (await squall.executions.get(made.id)).status == "requested"
