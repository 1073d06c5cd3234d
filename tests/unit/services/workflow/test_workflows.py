"""Workflows over a real store: children, ends, crashes, pauses, cancels, re-runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import Assembly, GivenPacks
from tests.unit.services.flows import Flows, good

from squall.adapters.sql.workflow.workflows import SqlWorkflows
from squall.core.execution.execution import Execution
from squall.services.execution.executions import Request
from squall.services.lanes import ADVANCE, JOURNAL, ProgressRecords, records_of

pytestmark = pytest.mark.anyio

LINE = {
    "version": 1.0,
    "tasks": {
        "a": {"action": "core.noop", "next": [{"publish": "got=<% result().stdout %>", "do": "b"}]},
        "b": {"action": "core.noop"},
    },
    "output": [{"got": "<% ctx().got %>"}, {"me": "<% ctx().st2.action %>"}],
}
ITEMS = {
    "version": 1.0,
    "tasks": {
        "t": {
            "with": {"items": "x in <% range(5) %>", "concurrency": 2},
            "action": "core.greet who=<% str(item(x)) %>",
            "next": [{"publish": "all=<% result().select($.stdout) %>"}],
        }
    },
    "output": [{"all": "<% ctx().all %>"}],
}
PARENT = {
    "version": 1.0,
    "tasks": {"sub": {"action": "flows.line", "next": [{"do": "z"}]}, "z": {"action": "core.noop"}},
}


async def started(squall: Assembly, name: str, text: Any, **more: Any) -> tuple[Flows, Execution]:
    flows = Flows(squall, **{name: text}, **more)
    await squall.registration.register()
    return flows, await squall.request(f"flows.{name}")


async def test_a_workflow_runs_its_tasks_and_gives_its_output(squall: Assembly) -> None:
    flows, made = await started(squall, "line", LINE)
    await flows.work(good)
    done = await flows.get(made)
    assert (done.status, done.result) == ("succeeded", {"output": {"got": "a", "me": "flows.line"}})
    assert [entry.status for entry in done.log] == ["requested", "scheduled", "running", "succeeded"]
    first, second = await flows.children(made)
    workflow = done.context["workflow_execution"]
    assert first.context["orquesta"] == {
        "workflow_execution_id": workflow,
        "task_execution_id": first.context["orquesta"]["task_execution_id"],
        "task_name": "a",
        "task_id": "a",
        "task_route": 0,
    }
    assert first.context["parent"] == {"execution_id": made.id, "user": "ada", "pack": "flows"}
    assert (first.tree, second.context["orquesta"]["task_name"]) == (made.id, "b")
    assert await flows.rows(ADVANCE) == 0


async def test_a_workflow_survives_a_kill_between_any_two_steps(squall: Assembly) -> None:
    flows, made = await started(squall, "items", ITEMS)
    await flows.work(good, restarts=True)
    done = await flows.get(made)
    assert (done.status, done.result) == ("succeeded", {"output": {"all": ["t"] * 5}})
    assert len(await flows.children(made)) == 5


async def test_a_step_that_could_not_be_written_leaves_nothing_and_is_taken_again(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows, made = await started(squall, "line", LINE)
    append, failures = SqlWorkflows.append, [OSError("disk full"), OSError("disk full")]

    async def failing(*args: Any) -> bool:
        if failures:
            raise failures.pop()
        return await append(*args)

    monkeypatch.setattr(SqlWorkflows, "append", failing)
    for _ in range(4):
        await flows.work(good)
        squall.clock.advance(1)
    assert (await flows.get(made)).status == "succeeded"
    assert len(await flows.children(made)) == 2


async def test_two_servers_on_one_workflow_do_every_task_once(squall: Assembly) -> None:
    flows, made = await started(squall, "line", LINE)
    await flows.advance()
    other = Flows.__new__(Flows)
    other.squall, other.definitions = squall, flows.definitions
    other.restart()
    for each in (other, flows, other):
        for task, execution, _ in await squall.claim():
            await squall.finish(task, execution, *good(execution))
        await each.advance()
    assert (await flows.get(made)).status == "succeeded"
    assert len(await flows.children(made)) == 2


async def test_a_failed_task_fails_the_workflow_with_its_result(squall: Assembly) -> None:
    flows, made = await started(squall, "line", {**LINE, "tasks": {"a": {"action": "core.noop"}}, "output": [{"o": 1}]})
    await flows.work(lambda execution: ("failed", {"code": 3}))
    done = await flows.get(made)
    assert done.status == "failed"
    assert done.result == {
        "output": {"o": 1},
        "errors": [
            {
                "type": "error",
                "message": "Execution failed. See result for details.",
                "task_id": "a",
                "result": {"code": 3},
            }
        ],
    }


async def test_inspection_errors_are_the_result(squall: Assembly) -> None:
    flows, made = await started(squall, "bad", "version: 1.0\ntasks:\n  a: {action: core.nosuch}\n")
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "failed"
    assert done.result["errors"][0]["message"] == 'The action "core.nosuch" is not registered in the database.'
    assert done.result["output"] is None


async def test_an_action_that_went_away_fails_its_task(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "tasks": {"a": {"action": "core.noop", "next": [{"do": "b"}]}, "b": {"action": "core.greet who=1"}},
    }
    flows, made = await started(squall, "line", text)
    await flows.advance()
    pack, actions = squall.source.packs[0]
    squall.source.packs[0] = (pack, [action for action in actions if action.ref != "core.greet"])
    await squall.registration.register()
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "failed"
    assert done.result["errors"][0]["result"] == {"error": 'Action "core.greet" cannot be found.'}


async def test_what_a_workflow_rendered_is_not_rendered_again_for_its_child(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "vars": [{"t": "{% raw %}{{ nosuch }}{% endraw %}"}],
        "tasks": {"a": {"action": "core.greet who=<% ctx().t %>"}},
    }
    flows, made = await started(squall, "line", text)
    await flows.work(good)
    [child] = await flows.children(made)
    assert child.parameters == {"who": "{{ nosuch }}"}
    assert (await flows.get(made)).status == "succeeded"


async def test_a_sub_workflow_is_a_task(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.work(good)
    assert (await flows.get(made)).status == "succeeded"
    below, _ = await squall.executions.children(made.id, None, False)
    assert len(below) == 4
    assert {child.tree for child in below} == {made.id}


async def test_a_pause_goes_down_and_a_resume_brings_all_back(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    await squall.executions.ask(made.id, "pausing", "ada")
    await flows.advance()
    [sub] = await flows.children(made)
    assert ((await flows.get(made)).status, sub.status) == ("pausing", "pausing")
    await flows.work(good)
    [sub] = await flows.children(made)
    assert ((await flows.get(made)).status, sub.status) == ("paused", "paused")
    await squall.executions.ask(made.id, "resuming", "ada")
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "succeeded"
    assert [entry.status for entry in done.log][-5:] == ["pausing", "paused", "resuming", "running", "succeeded"]


async def test_pausing_a_sub_workflow_pauses_its_parent(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    [sub] = await flows.children(made)
    await squall.executions.ask(sub.id, "pausing", "ada")
    await flows.work(good)
    assert (await flows.get(made)).status == "paused"
    await squall.executions.ask(sub.id, "resuming", "ada")
    await flows.work(good)
    assert (await flows.get(made)).status == "succeeded"


async def test_a_cancel_reaches_every_descendant(squall: Assembly) -> None:
    flows, made = await started(squall, "parent", PARENT, line=LINE)
    await flows.advance()
    [(task, leaf, _)] = await squall.claim()
    await squall.executions.cancel(made.id, "ada")
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
    await squall.executions.cancel(leaf.id, "ada")
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
    await squall.executions.cancel(leaf.id, "eve")
    await squall.finish(task, leaf, "canceled", None)
    await flows.advance()
    below, _ = await squall.executions.children(made.id, None, False)
    assert {(each.action, each.status) for each in below} == {
        ("core.noop", "canceled"), ("core.noop", "canceling"), ("flows.chained", "canceling")
    }  # fmt: skip
    root = await flows.get(made)
    assert {each.context.get("cancelled_by") for each in (root, *below)} == {"eve"}


async def test_a_pause_and_a_resume_are_recorded_with_who_asked(squall: Assembly) -> None:
    flows, made = await started(squall, "line", LINE)
    await flows.advance()
    await squall.executions.update(made.id, "pausing", "eve")
    await flows.work(good)
    await squall.executions.update(made.id, "resuming", "bob")
    await flows.work(good)
    done = await flows.get(made)
    assert [done.context[name] for name in ("user", "paused_by", "resumed_by")] == ["ada", "eve", "bob"]


async def test_failed_tasks_can_be_run_again(squall: Assembly) -> None:
    flows, made = await started(squall, "items", ITEMS)
    await flows.work(
        lambda execution: ("failed" if execution.context["orquesta"]["item_id"] == 1 else "succeeded", {"stdout": "x"})
    )
    failed = await flows.get(made)
    assert failed.status == "failed"
    again = await squall.executions.re_run(made.id, {}, None, None, tasks=["t"])
    await flows.work(good)
    done = await flows.get(again)
    assert done.status == "succeeded"
    assert done.context["workflow_execution"] == failed.context["workflow_execution"]
    assert done.context["re-run"] == {"ref": made.id, "tasks": ["t"]}
    assert (await flows.get(made)).status == "failed"
    gone = await squall.executions.re_run(made.id, {}, None, None, tasks=["nosuch"])
    await flows.work(good)
    assert (await flows.get(gone)).result["errors"] == [
        {"message": "Unable to rerun workflow because one or more tasks is not found: nosuch"}
    ]


async def test_a_circle_ends_with_a_clear_error(squall: Assembly) -> None:
    text = {"version": 1.0, "tasks": {"a": {"next": [{"do": "b"}]}, "b": {"next": [{"do": "b"}]}}}
    flows, made = await started(squall, "line", text)
    await flows.work(good)
    [error] = (await flows.get(made)).result["errors"]
    assert error["message"] == "LimitError: The workflow has run 500 tasks, which is the most it may."


async def test_what_a_workflow_does_is_told_in_its_journal(squall: Assembly) -> None:
    flows, _ = await started(squall, "line", LINE)
    await flows.advance()

    async def notes(tx: Any) -> list[Any]:
        return [records_of(due) for due in await tx.queue.claim(JOURNAL, "w", squall.clock.now(), 1, 100)]

    found = [records for records in await squall.store.tx(notes) if isinstance(records, ProgressRecords)]
    told = [note["event"] for records in found for note in records.notes]
    assert told == ["workflow", "task_requested"]


async def test_secrets_are_not_stored_open(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "input": ["secret"],
        "tasks": {"a": {"action": "core.noop", "next": [{"publish": "copy=<% ctx().secret %>", "do": "b"}]}, "b": {}},
    }
    flows, _ = await started(squall, "line", text)
    made = await squall.request("flows.line", parameters={"secret": "hunter2-hunter2"})
    await flows.work(good, restarts=True)
    assert (await flows.get(made)).status == "succeeded"
    facts = await squall.store.read(lambda tx: tx.workflows.facts(made.id, 0))
    assert facts
    assert all(b"hunter2" not in batch for batch in facts)


async def test_a_secret_default_of_a_workflow_is_not_stored_open(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "input": ["word"],
        "tasks": {"a": {"action": "core.noop", "next": [{"publish": "copy=<% ctx().word %>", "do": "b"}]}, "b": {}},
    }
    flows, _ = await started(squall, "line", text)
    pack, actions = squall.source.packs[-1]
    word = {"word": {"type": "string", "secret": True, "default": "hunter2-hunter2"}}
    changed = [msgspec.structs.replace(each, parameters=word) for each in actions]
    squall.source.packs[-1] = (pack, changed)
    await squall.registration.register()
    made = await squall.request("flows.line")
    await flows.work(good, restarts=True)
    assert (await flows.get(made)).status == "succeeded"
    facts = await squall.store.read(lambda tx: tx.workflows.facts(made.id, 0))
    assert facts
    assert all(b"hunter2" not in batch for batch in facts)


async def test_keys_can_be_read(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "vars": [{"k": "<% st2kv('system.word') %>"}, {"d": "{{ st2kv('system.no', default='none') }}"}],
        "tasks": {"a": {"action": "core.noop"}},
        "output": [{"k": "<% ctx().k %>"}, {"d": "<% ctx().d %>"}],
    }
    flows, made = await started(squall, "line", text)
    await flows.work(good)
    assert (await flows.get(made)).result == {"output": {"k": "key", "d": "none"}}


async def test_a_number_of_128_bits_stays_one_in_parameters_state_and_output(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "input": ["x"],
        "tasks": {
            "a": {
                "action": "flows.anything",
                "input": {"what": "<% ctx().x %>"},
                "next": [{"publish": "got=<% result().n %>", "do": "b"}],
            },
            "b": {"action": "core.noop"},
        },
        "output": [{"got": "<% [ctx().got, ctx().x] %>"}],
    }
    flows = Flows(squall, wide=text)
    await squall.registration.register()
    made = await squall.request("flows.wide", parameters={"x": 2**127})
    await flows.work(lambda execution: ("succeeded", {"n": 2**128}), restarts=True)
    assert (await flows.get(made)).result == {"output": {"got": [2**128, 2**127]}}
    assert (await flows.children(made))[0].parameters == {"what": 2**127}


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


async def test_a_task_to_be_told_of_that_is_not_there_fails_the_workflow(squall: Assembly) -> None:
    flows = Flows(squall, line=LINE)
    await squall.registration.register()
    made = await squall.request("flows.line", parameters={"notify": ["b", "nosuch"]})
    await flows.work(good)
    done = await flows.get(made)
    assert done.status == "failed"
    assert "nosuch" in done.result["errors"][0]["message"]
    assert await flows.children(made) == []
