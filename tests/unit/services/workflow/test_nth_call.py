"""Workflows and chains while the n-th statement of the store fails, for each n: outcome, children and their order are
the same."""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

import apsw
import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Flows, good
from tests.unit.services.test_holdups import NthCall

from squall.adapters.sql import sqlite
from squall.core.environment import RETRIED
from squall.core.execution.execution import FINAL, Execution
from squall.services import holdups as module

pytestmark = pytest.mark.anyio
A_LEASE = 60
STRIDE = 1 if os.environ.get("SQUALL_EXAMPLES") else 3
"""`make soak` lets each statement fail, `make test` each third one."""
INNER = {"version": 1.0, "tasks": {"deep": {"action": "core.noop"}}, "output": [{"n": "<% 1 + 1 %>"}]}
OUTER = {
    "version": 1.0,
    "tasks": {
        "items": {"with": "<% list(1, 2, 3) %>", "action": "core.noop", "next": [{"do": "nested"}]},
        "nested": {"action": "flows.inner", "next": [{"publish": "n=<% result().output.n %>", "do": "last"}]},
        "last": {"action": "core.noop"},
    },
    "output": [{"n": "<% ctx().n %>"}],
}
CHAIN = """
chain:
  - {name: c1, ref: core.noop, on-success: c2}
  - {name: c2, ref: flows.inner, on-success: c3}
  - {name: c3, ref: core.noop}
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(module, "back_off", lambda _failures: 0)


async def to_its_end(flows: Flows, made: Execution) -> None:
    """Does what the roles of a server do, in turns a lease apart, until an execution has ended. What fails is done
    again in a later turn."""
    squall = flows.squall
    for _ in range(200):
        try:
            async with asyncio.TaskGroup() as group:
                await flows.workflows.advance(group)
            for task, execution, _ in await squall.claim():
                await squall.finish(task, execution, *good(execution))
            if (await flows.get(made)).status in FINAL:
                return
        except* RETRIED:
            pass
        squall.clock.advance(A_LEASE)
    raise AssertionError("the execution has not ended")


async def summary(flows: Flows, made: Execution) -> list[Any]:
    """What must be the same each time: status, result, and the children with theirs, in order."""
    ended = await flows.get(made)
    children = await flows.children(made)
    result = (
        ended.result
        if ended.action == "flows.outer"
        else [task["id"] for task in (ended.result or {}).get("tasks", [])]
    )
    finals = [entry.status for entry in ended.log].count(ended.status)
    return [ended.action, ended.status, result, finals, [await summary(flows, child) for child in children]]


@pytest.mark.parametrize("name", ["outer", "chained"])
async def test_no_failing_statement_of_the_store_changes_a_workflow_or_a_chain(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    flows = Flows(squall, inner=INNER, outer=OUTER, chained=CHAIN)
    await squall.registration.register()
    made = await squall.request(f"flows.{name}")
    await to_its_end(flows, made)
    expected = await summary(flows, made)
    assert (expected[1], len(expected[4])) == ("succeeded", 5 if name == "outer" else 3)
    run = sqlite._Session.run
    for n in itertools.count(1, STRIDE):
        made = await squall.request(f"flows.{name}")
        nth = NthCall(n, apsw.IOError("it fails"))

        async def counted(self: Any, statement: str, *parameters: Any, nth: NthCall = nth) -> Any:
            nth.count()
            return await run(self, statement, *parameters)

        with monkeypatch.context() as faulty:
            faulty.setattr(sqlite._Session, "run", counted)
            await to_its_end(flows, made)
        assert await summary(flows, made) == expected, f"call {n}"
        if not nth.struck:
            assert n > 20
            return
