"""How runs of workflows begin, and what ends them at once."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Flows, good
from tests.unit.services.workflow.test_workflows import LINE, started

pytestmark = pytest.mark.anyio


async def test_inspection_errors_are_the_result(squall: Assembly) -> None:
    flows, made = await started(squall, "bad", "version: 1.0\ntasks:\n  a: {action: core.nosuch}\n")
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "failed"
    assert done.result["errors"][0]["message"] == 'The action "core.nosuch" is not registered in the database.'
    assert done.result["output"] is None


async def test_a_circle_ends_with_a_clear_error(squall: Assembly) -> None:
    text = {"version": 1.0, "tasks": {"a": {"next": [{"do": "b"}]}, "b": {"next": [{"do": "b"}]}}}
    flows, made = await started(squall, "line", text)
    await flows.work(good)
    [error] = (await flows.get(made)).result["errors"]
    assert error["message"] == "LimitError: The workflow has run 500 tasks, which is the most it may."


async def test_a_task_to_be_told_of_that_is_not_there_fails_the_workflow(squall: Assembly) -> None:
    flows = Flows(squall, line=LINE)
    await squall.registration.register()
    made = await squall.request("flows.line", parameters={"notify": ["b", "nosuch"]})
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "failed"
    assert "nosuch" in done.result["errors"][0]["message"]
    assert await flows.children(made) == []
