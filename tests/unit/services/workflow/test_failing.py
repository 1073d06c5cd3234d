"""Workflows that cannot be advanced."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Between, Flows, good
from tests.unit.services.workflow.test_workflows import LINE, started

from squall.adapters.sql.workflow.workflows import SqlWorkflows
from squall.core.errors import ConflictError, InvalidError, UnavailableError
from squall.core.expr.json_value import printable
from squall.ports import Tx
from squall.services.execution.executions import Request
from squall.services.lanes import ADVANCE
from squall.services.workflow.chains import Chains
from squall.services.workflow.expressions import Lookups

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [TypeError("no JSON"), InvalidError("the state is gone"), OverflowError("\ud800")])
async def test_what_would_fail_again_fails_the_workflow_at_once(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    flows, made = await started(squall, "line", LINE)

    async def failing(*args: Any) -> bool:
        raise error

    monkeypatch.setattr(SqlWorkflows, "append", failing)
    await flows.advance()
    done = await flows.get(made)
    assert done.status == "failed"
    assert printable(str(error)) in done.result["errors"][0]["message"]
    assert await flows.rows(ADVANCE) == 0


async def test_a_conflict_is_tried_again_and_then_fails_the_workflow(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows, made = await started(squall, "line", LINE)
    tries = []

    async def failing(*args: Any) -> bool:
        tries.append(1)
        raise ConflictError("it has changed")

    monkeypatch.setattr(SqlWorkflows, "append", failing)
    while await flows.rows(ADVANCE):
        await flows.advance()
        squall.clock.advance(1)
    assert ((await flows.get(made)).status, len(tries)) == ("failed", 6)


async def test_a_chain_that_cannot_go_on_fails_in_the_form_of_chains(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = Flows(squall, chained="chain:\n  - {name: a, ref: core.noop}\n")
    await squall.registration.register()
    made = await squall.request("flows.chained")
    monkeypatch.setattr(Chains, "advance", lambda *args: 1 / 0)
    await flows.advance()
    done = await flows.get(made)
    assert (done.status, done.result) == ("failed", {"error": "ZeroDivisionError: division by zero", "traceback": ""})


async def test_a_defect_fails_the_workflow_and_leaves_nothing_stuck(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows, made = await started(squall, "line", LINE)
    monkeypatch.setattr("squall.services.workflow.workflows.decide", lambda *args: 1 / 0)
    await flows.advance()
    done = await flows.get(made)
    assert done.status == "failed"
    assert "ZeroDivisionError" in msgspec.json.encode(done.result).decode()
    assert await flows.rows(ADVANCE) == 0


async def test_a_task_that_cannot_be_prepared_fails_and_is_not_tried_again(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {
        "version": 1.0,
        "tasks": {
            "a": {"action": "core.noop", "next": [{"when": "<% failed() %>", "publish": "why=<% result() %>"}]},
        },
        "output": [{"why": "<% ctx().why %>"}],
    }
    flows, made = await started(squall, "line", text)
    prepare = type(squall.executions).prepare

    async def failing(self: Any, request: Request) -> Any:
        if request.action == "core.noop":
            raise ValueError("Dict key must be str")
        return await prepare(self, request)

    monkeypatch.setattr(type(squall.executions), "prepare", failing)
    await flows.advance()
    done = await flows.get(made)
    assert done.result["output"] == {"why": {"error": "ValueError: Dict key must be str"}}


async def test_a_store_that_does_not_answer_an_expression_makes_the_workflow_wait(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {
        "version": 1.0,
        "tasks": {
            "a": {"action": "core.noop", "next": [{"publish": "s=<% task(a).status %>", "do": "b"}]},
            "b": {"action": "flows.anything", "input": {"what": "<% task(a).status %>"}},
        },
        "output": [{"s": "<% ctx().s %>"}],
    }
    flows, made = await started(squall, "asks", text)
    document, failures = Lookups.task_document, [UnavailableError("disk full")] * 2

    def failing(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return document(*args)

    monkeypatch.setattr(Lookups, "task_document", failing)
    for _ in range(4):
        await flows.work(good)
        squall.clock.advance(1)
    assert ((await flows.get(made)).status, failures) == ("succeeded", [])


async def test_a_change_whose_row_was_claimed_again_counts_once(squall: Assembly) -> None:
    store = squall.store
    squall.store = between = Between(store)
    again = {"version": 1.0, "tasks": {"a": {"action": "core.noop", "retry": {"count": 1}}}}
    flows, made = await started(squall, "again", again)
    await flows.advance()
    ((task, execution, _),) = await squall.claim()
    await squall.finish(task, execution, "failed", {})

    async def claim_again(tx: Tx) -> None:
        assert len(await tx.queue.claim(ADVANCE, "w2", squall.clock.now() + 90_000_000, 1, 9)) == 1

    between.work = claim_again
    async with asyncio.TaskGroup() as group:
        await flows.workflows.advance(group)
    assert len(await flows.children(made)) == 1
    squall.clock.advance(91)
    await flows.work(good)
    assert [child.status for child in await flows.children(made)] == ["failed", "succeeded"]
    assert (await flows.get(made)).status == "succeeded"


async def test_the_end_of_a_task_waits_for_no_clock_that_is_set_back(squall: Assembly) -> None:
    flows, made = await started(squall, "line", LINE)

    await flows.advance()
    ((task, execution, _),) = await squall.claim()
    await squall.finish(task, execution, *good(execution))
    squall.clock.advance(-3_600)
    await flows.work(good)
    assert (await flows.get(made)).status == "succeeded"
