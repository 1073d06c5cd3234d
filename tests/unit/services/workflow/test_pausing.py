"""Pauses of sub-workflows, and workflows that fail while tasks still run."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Flows, good
from tests.unit.services.workflow.test_workflows import LINE, started

from squall.core.execution.execution import Execution
from squall.services.lanes import JOURNAL, ProgressRecords, records_of
from squall.services.workflow.graphs import WorkflowGraphs

pytestmark = pytest.mark.anyio

PARENT = {
    "version": 1.0,
    "tasks": {
        "one": {"action": "flows.line"},
        "two": {"action": "flows.line", "next": [{"do": "after"}]},
        "three": {"action": "flows.line"},
        "after": {"action": "core.noop"},
    },
}


async def subs(flows: Flows, made: Execution) -> dict[str, Execution]:
    return {child.context["orquesta"]["task_name"]: child for child in await flows.children(made)}


async def test_siblings_of_a_paused_sub_workflow_go_on_until_only_paused_ones_are_left(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    one = (await subs(flows, made))["one"]
    await squall.control.ask(one.id, "pausing", "ada")
    await flows.advance()
    statuses = {name: child.status for name, child in (await subs(flows, made)).items()}
    assert ((await flows.get(made)).status, statuses) == (
        "running",
        {"one": "pausing", "two": "running", "three": "running"},
    )
    await flows.work(good)
    statuses = {name: child.status for name, child in (await subs(flows, made)).items()}
    assert ((await flows.get(made)).status, statuses) == (
        "paused",
        {"one": "paused", "two": "succeeded", "three": "succeeded"},
    )
    await squall.control.ask(one.id, "resuming", "ada")
    await flows.work(good)
    done = await flows.get(made)
    assert (done.status, sorted(await subs(flows, made))) == ("succeeded", ["after", "one", "three", "two"])


async def test_a_resumed_sub_workflow_brings_its_parent_on_but_not_its_paused_siblings(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    children = await subs(flows, made)
    for name in ("one", "three"):
        await squall.control.ask(children[name].id, "pausing", "ada")
    await flows.work(good)
    assert (await flows.get(made)).status == "paused"
    await squall.control.ask(children["one"].id, "resuming", "ada")
    await flows.advance()
    statuses = {name: child.status for name, child in (await subs(flows, made)).items()}
    assert ((await flows.get(made)).status, statuses["three"]) == ("running", "paused")
    await flows.work(good)
    await squall.control.ask(children["three"].id, "resuming", "ada")
    await flows.work(good)
    assert (await flows.get(made)).status == "succeeded"


async def test_a_workflow_that_has_failed_says_so_while_a_task_still_runs(squall: Assembly) -> None:
    text = {"version": 1.0, "tasks": {"a": {"action": "core.noop"}, "b": {"action": "core.noop"}}}
    flows, made = await started(squall, "both", text)
    await flows.advance()
    (task, first, _), *others = await squall.claim()
    await squall.finish(task, first, "failed", None)
    await flows.advance()
    rows = await squall.store.tx(lambda tx: tx.queue.claim(JOURNAL, "j", squall.clock.now(), 1, 99))
    progress = [records for records in map(records_of, rows) if isinstance(records, ProgressRecords)]
    assert {"event": "workflow", "status": "failed"} in [note for records in progress for note in records.notes]
    graphs = WorkflowGraphs(squall.store, flows.stored)
    shown = await graphs.of_execution(made.id)
    assert (shown["status"], shown["is_final"], (await flows.get(made)).status) == ("failed", False, "running")
    for task, execution, _ in others:
        await squall.finish(task, execution, *good(execution))
    await flows.advance()
    assert (await graphs.of_execution(made.id))["is_final"]
    assert (await flows.get(made)).status == "failed"


async def test_a_second_pause_replaces_the_resume_before_it_in_the_context(squall: Assembly) -> None:
    text = {"version": 1.0, "tasks": {"sub": {"action": "flows.line"}, "leaf": {"action": "core.noop"}}}
    flows, made = await started(squall, "both", text, line=LINE)
    await flows.advance()
    for status, user in (("pausing", "eve"), ("resuming", "bob"), ("pausing", "zoe")):
        await squall.control.ask(made.id, status, user)
        await flows.advance()
        if status == "pausing" and user == "eve":
            await flows.work(good)
    context = (await flows.get(made)).context
    assert (context["paused_by"], "resumed_by" in context) == ("zoe", False)
