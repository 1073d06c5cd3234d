"""A client completes an execution: its process stops first, and then it ends as the client said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.doubles.assembly import POLL, Assembly

from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.execution import Execution
from squall.services.content.secret_results import SecretResults
from squall.services.execution.completing import STATUSES, Completing
from squall.testing.samples import sample_id
from squall.testing.waiting import eventually

pytestmark = pytest.mark.anyio


def completing(squall: Assembly) -> Completing:
    return Completing(squall.store, squall.bus, SecretResults(squall.vault), poll=POLL)


@asynccontextmanager
async def wished(
    squall: Assembly, execution_id: str, status: str, result: Any
) -> AsyncIterator[asyncio.Task[Execution]]:
    """A request that waits for the end of a running execution; it has been noted when the block begins."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(completing(squall).complete(execution_id, status, result, "ada"))

        async def is_noted() -> bool:
            return await squall.claims.stopping([execution_id]) == [execution_id]

        await eventually(is_noted, "the process is to stop")
        yield task


@pytest.mark.parametrize("status", sorted(STATUSES))
async def test_a_running_execution_ends_as_it_was_completed_whatever_its_process_did(
    squall: Assembly, status: str
) -> None:
    task, execution, _ = await squall.start()
    async with wished(squall, execution.id, status, {"a": 1}) as request:
        assert not request.done()
        assert (await squall.executions.get(execution.id)).status == "running"
        assert await squall.finish(task, execution, "failed", "killed")
    ended = request.result()
    assert (ended.status, ended.result, ended.result_size) == (status, {"a": 1}, 7)
    assert ended.context == {**execution.context, "completed_by": "ada"}
    assert [entry.status for entry in ended.log] == ["requested", "scheduled", "running", status]


async def test_what_has_not_started_starts_no_process(squall: Assembly) -> None:
    made = await squall.request()
    async with wished(squall, made.id, "succeeded", [1]) as request:
        ((task, execution, row),) = await squall.claim()
        outcome = await squall.make_running().run(execution, row)
        assert not squall.launcher.held()
        assert await squall.claims.finish(task, execution, outcome)
    ended = request.result()
    assert (ended.status, ended.result, ended.context["completed_by"]) == ("succeeded", [1], "ada")


async def test_a_cancel_before_the_start_wins_over_a_completion(squall: Assembly) -> None:
    made = await squall.request()
    async with wished(squall, made.id, "succeeded", "done") as request:
        canceled = await squall.control.cancel(made.id, "eve")
    assert request.result() == canceled
    assert (canceled.status, "completed_as" in canceled.context) == ("canceled", False)


async def test_what_is_delayed_is_not_completed(squall: Assembly) -> None:
    made = await squall.request(delay=60_000)
    with pytest.raises(InvalidError, match="is delayed and has not started: cancel it instead"):
        await completing(squall).complete(made.id, "succeeded", None, "ada")


async def test_a_cancel_that_comes_behind_a_completion_wins(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    async with wished(squall, execution.id, "succeeded", "done") as request:
        await squall.control.cancel(execution.id, "eve")
        await squall.finish(task, execution, "failed", "killed")
    assert request.result().status == "canceled"
    assert "completed_as" not in request.result().context


async def test_two_complete_an_execution_and_the_first_counts(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    async with wished(squall, execution.id, "succeeded", "first") as request:
        with pytest.raises(InvalidError, match="is being stopped already"):
            await completing(squall).complete(execution.id, "failed", "second", "eve")
        await squall.finish(task, execution, "failed", "killed")
    assert request.result().result == "first"


async def test_what_has_ended_or_is_not_there_cannot_be_completed(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution)
    with pytest.raises(InvalidError, match="Execution is already in completed state"):
        await completing(squall).complete(execution.id, "failed", None, "ada")
    with pytest.raises(NotFoundError):
        await completing(squall).complete(sample_id(9), "failed", None, "ada")
