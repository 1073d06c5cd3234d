"""Graphs of runs."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Flows, good

from squall.core.errors import InvalidError, NotFoundError
from squall.services.workflow.graphs import WorkflowGraphs
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio
TEXT = {
    "version": 1.0,
    "tasks": {
        "a": {"with": "x in <% range(2) %>", "action": "core.noop", "next": [{"when": "<% succeeded() %>", "do": "b"}]},
        "b": {"action": "core.noop"},
    },
}


async def test_a_graph_shows_tasks_ways_and_states(squall: Assembly) -> None:
    flows = Flows(squall, line=TEXT)
    await squall.registration.register()
    made = await squall.request("flows.line")
    graphs = WorkflowGraphs(squall.store, flows.stored)
    assert (await graphs.of_execution(made.id))["tasks"] == []
    await flows.work(good)
    found = await graphs.of_execution(made.id)
    assert [(task["name"], task["status"]) for task in found["tasks"]] == [("a", "succeeded"), ("b", "succeeded")]
    assert found["tasks"][0]["runs"][0]["items"]["succeeded"] == 2
    assert found["edges"] == [{"from": "a", "to": "b", "id": "b__t0", "when": "<% succeeded() %>", "taken": 1}]


async def test_what_has_no_graph_is_an_error(squall: Assembly) -> None:
    graphs = WorkflowGraphs(squall.store, Flows(squall, line=TEXT).stored)
    with pytest.raises(InvalidError, match="is no workflow"):
        await graphs.of_execution((await squall.request("core.noop")).id)
    with pytest.raises(NotFoundError):
        await graphs.of_execution(sample_id(99))
