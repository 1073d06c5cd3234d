"""Runs: what is stored of a workflow, and read back."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Flows, good

from squall.core.workflow.conducting.facts import decode_facts
from squall.core.workflow.conducting.snapshots import restored, snapshot

pytestmark = pytest.mark.anyio

TEXT = {
    "version": 1.0,
    "vars": [{"big": "<% 'x' * 400000 %>"}],
    "tasks": {
        "a": {"action": "core.noop", "next": [{"publish": "y=<% ctx().big + '1' %>", "do": "b"}]},
        "b": {"action": "core.noop", "next": [{"do": "c"}]},
        "c": {"action": "core.noop"},
    },
    "output": [{"n": "<% ctx().y.len() %>"}],
}


async def test_what_is_stored_folds_to_the_state(squall: Assembly) -> None:
    flows = Flows(squall, line=TEXT)
    await squall.registration.register()
    made = await squall.request("flows.line")
    await flows.work(good)
    record = await squall.store.read(lambda tx: tx.workflows.get(made.id))
    assert record is not None
    state = await flows.stored.peek(made)
    assert state is not None
    assert state.status == "succeeded"
    batches = await squall.store.read(lambda tx: tx.workflows.facts(made.id, record.snapshot_seq))
    assert record.snapshot is not None
    folded = restored(state.graph, record.snapshot[1:])
    for batch in batches:
        for fact in decode_facts(batch[1:]):
            folded.apply(fact)
    assert snapshot(folded) == snapshot(state)


async def test_a_snapshot_takes_the_place_of_the_facts_before_it(squall: Assembly) -> None:
    flows = Flows(squall, line=TEXT)
    await squall.registration.register()
    made = await squall.request("flows.line")
    await flows.work(good, restarts=True)
    record = await squall.store.read(lambda tx: tx.workflows.get(made.id))
    assert record is not None
    assert 0 < record.snapshot_seq <= record.seq
    assert len(await squall.store.read(lambda tx: tx.workflows.facts(made.id, 0))) == record.seq - record.snapshot_seq
    assert (await flows.get(made)).result == {"output": {"n": 400001}}


async def test_what_is_no_workflow_has_no_state(squall: Assembly) -> None:
    flows = Flows(squall, line=TEXT)
    made = await squall.request("core.noop")
    assert await flows.stored.peek(made) is None


async def test_nothing_of_a_workflow_is_left_when_its_tree_is_removed(squall: Assembly) -> None:
    flows = Flows(squall, line=TEXT)
    await squall.registration.register()
    made = await squall.request("flows.line")
    await flows.work(good)
    [first, *_] = await flows.children(made)
    task = first.context["orquesta"]["task_execution_id"]
    assert await squall.store.read(lambda tx: tx.workflows.children(task))
    await squall.store.tx(lambda tx: tx.retention.purge([made.id]))
    assert await squall.store.read(lambda tx: tx.workflows.get(made.id)) is None
    assert await squall.store.read(lambda tx: tx.workflows.facts(made.id, 0)) == []
    assert await squall.store.read(lambda tx: tx.workflows.children(task)) == []
