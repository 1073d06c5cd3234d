"""The children of a workflow: what they are told of a cancel, a pause and a resume."""

from __future__ import annotations

import msgspec
import pytest
from tests.doubles.assembly import Assembly, GivenPacks
from tests.unit.services.flows import Flows, good
from tests.unit.services.workflow.test_workflows import LINE, PARENT, started

from squall.services.execution.executions import Request

pytestmark = pytest.mark.anyio


async def test_a_cancel_reaches_every_descendant(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    [(task, leaf, _)] = await squall.claim()
    await squall.control.cancel(made.id, "ada")
    await flows.advance()
    assert (await flows.get(leaf)).status == "canceling"
    await squall.finish(task, leaf, "succeeded", None)
    await flows.advance()
    below, _ = await squall.executions.children(made.id, None, True)
    assert {each.status for each in below} == {"canceled"}
    done = await flows.get(made)
    assert (done.status, done.result) == ("canceled", {"message": "Action canceled by user.", "user": "ada"})


async def test_canceling_a_child_cancels_up_to_the_root(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    [(task, leaf, _)] = await squall.claim()
    await squall.control.cancel(leaf.id, "ada")
    await squall.finish(task, leaf, "canceled", None)
    await flows.work(good)
    assert (await flows.get(made)).status == "canceled"


async def test_what_a_canceled_task_ends_is_canceled_in_the_name_of_who_canceled_the_task(squall: Assembly) -> None:
    chain = "chain: [{name: c1, ref: core.noop}]"
    both = {"version": 1.0, "tasks": {"a": {"action": "core.noop"}, "b": {"action": "flows.chained"}}}
    flows, made = await started(squall, "both", both, chained=chain)
    await flows.advance()
    claimed = await squall.claim()
    task, leaf, _ = next(each for each in claimed if each[1].parent == made.id)
    await squall.control.cancel(leaf.id, "eve")
    await squall.finish(task, leaf, "canceled", None)
    await flows.advance()
    below, _ = await squall.executions.children(made.id, None, False)
    assert {(each.action, each.status) for each in below} == {
        ("core.noop", "canceled"), ("core.noop", "canceling"), ("flows.chained", "canceling")
    }  # fmt: skip
    root = await flows.get(made)
    assert {each.context.get("cancelled_by") for each in (root, *below)} == {"eve"}


async def test_a_pause_goes_down_and_a_resume_brings_all_back(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    await squall.control.ask(made.id, "pausing", "ada")
    await flows.advance()
    [sub] = await flows.children(made)
    assert ((await flows.get(made)).status, sub.status) == ("pausing", "pausing")
    await flows.work(good)
    [sub] = await flows.children(made)
    assert ((await flows.get(made)).status, sub.status) == ("paused", "paused")
    await squall.control.ask(made.id, "resuming", "ada")
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "succeeded"
    assert [entry.status for entry in done.log][-5:] == ["pausing", "paused", "resuming", "running", "succeeded"]


async def test_a_pause_and_a_resume_are_recorded_with_who_asked(squall: Assembly) -> None:
    flows, made = await started(squall, "line", LINE)
    await flows.advance()
    await squall.control.update(made.id, "pausing", "eve")
    await flows.work(good)
    await squall.control.update(made.id, "resuming", "bob")
    await flows.work(good)
    done = await flows.get(made)
    assert [done.context[name] for name in ("user", "paused_by", "resumed_by")] == ["ada", "eve", "bob"]


async def test_only_the_tasks_that_are_named_tell_whom_the_workflow_names(squall: Assembly) -> None:
    """Also not whom the action of a task would tell by itself."""
    told = {"on-complete": {"routes": ["hubot"]}}
    flows = Flows(squall, line=LINE)
    assert isinstance(squall.source, GivenPacks)
    actions = squall.source.packs[0][1]
    actions[:] = [msgspec.structs.replace(each, notify={"on-failure": {"routes": ["other"]}}) for each in actions]
    await squall.registration.register()
    made = await squall.executions.request(
        Request(action="flows.line", parameters={"notify": ["b"]}, user="ada", notify=told)
    )
    await flows.work(good)
    assert {child.context["orquesta"]["task_name"]: child.notify for child in await flows.children(made)} == {
        "a": {},
        "b": told,
    }
