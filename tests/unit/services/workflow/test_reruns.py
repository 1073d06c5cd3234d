"""Re-runs from the failed tasks on over a real store: what runs, and what is refused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from tests.doubles.assembly import Assembly
from tests.unit.services.flows import Act, Flows, good

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.services.workflow.reruns import Reruns

pytestmark = pytest.mark.anyio

HANDLED = {
    "version": 1.0,
    "tasks": {
        "a": {"action": "core.noop", "next": [{"when": "<% failed() %>", "do": "cleanup"}]},
        "cleanup": {"action": "core.noop", "next": [{"do": "fail"}]},
    },
}


def nested(handled: bool) -> dict[str, Any]:
    ways = [{"when": "<% failed() %>", "do": "c"}] if handled else [{"when": "<% succeeded() %>", "do": "c"}]
    tasks = {"sub": {"action": "flows.below", "next": ways}, "c": {"action": "core.noop", "next": [{"do": "noop"}]}}
    if handled:
        tasks["c"] = {"action": "core.noop", "next": [{"do": "fail"}]}
    return {"version": 1.0, "tasks": tasks}


def failing(*names: str) -> Act:
    return lambda execution: ("failed", {}) if named(execution) in names else good(execution)


def named(execution: Execution) -> str:
    return str(execution.context.get("orquesta", {}).get("task_name"))


async def ended(squall: Assembly, act: Act, **texts: Any) -> tuple[Flows, Execution]:
    flows = Flows(squall, **texts)
    await squall.registration.register()
    made = await squall.request(f"flows.{next(iter(texts))}")
    await flows.work(act)
    return flows, await flows.get(made)


async def check(squall: Assembly, flows: Flows, execution: Execution, *tasks: str, reset: tuple[str, ...] = ()) -> None:
    await Reruns(squall.executions, flows.stored).check(execution.id, tasks, reset)


@pytest.mark.parametrize(
    ("text", "below", "failed", "ran"),
    [
        (HANDLED, None, ["a"], ["a"]),
        (nested(False), HANDLED, ["a"], ["a", "c", "sub"]),
        (nested(True), HANDLED, ["a"], ["a", "sub"]),
    ],
)
async def test_failed_tasks_run_again_whoever_handled_their_failure(
    squall: Assembly, text: Any, below: Any, failed: list[str], ran: list[str]
) -> None:
    flows, old = await ended(squall, failing(*failed), top=text, **({"below": below} if below else {}))
    assert old.status == "failed"
    await check(squall, flows, old, "*")
    flows.restart()
    made = await squall.executions.re_run(old.id, {}, None, None, tasks=["*"])
    await flows.work(good)
    assert (await flows.get(made)).status == "succeeded"
    tree, _ = await squall.executions.children(made.id, None, True)
    assert sorted(named(execution) for execution in tree) == ran


async def test_a_re_run_that_fails_again_says_so(squall: Assembly) -> None:
    flows, old = await ended(squall, failing("a"), top=HANDLED)
    made = await squall.executions.re_run(old.id, {}, None, None, tasks=["*"])
    await flows.work(failing("a"))
    assert (await flows.get(made)).status == "failed"
    assert [named(execution) for execution in await flows.children(made)] == ["a", "cleanup"]


async def test_a_failure_handled_below_is_no_failure_above(squall: Assembly) -> None:
    below: Any = deepcopy(HANDLED)
    below["tasks"]["cleanup"] = {"action": "core.noop"}
    flows, old = await ended(squall, failing("a"), top=nested(False), below=below)
    assert old.status == "succeeded"
    with pytest.raises(InvalidError, match="No task of the workflow failed: it succeeded"):
        await check(squall, flows, old, "*")


async def test_a_canceled_workflow_goes_on_with_what_was_canceled(squall: Assembly) -> None:
    text = {
        "version": 1.0,
        "tasks": {"a": {"action": "core.noop", "next": [{"do": "b"}]}, "b": {"action": "core.noop"}},
    }
    flows = Flows(squall, top=text)
    await squall.registration.register()
    old = await squall.request("flows.top")
    await flows.advance()
    [(task, leaf, _)] = await squall.claim()
    await squall.control.cancel(old.id, "ada")
    await flows.advance()
    await squall.finish(task, leaf, "canceled", None)
    await flows.advance()
    assert (await flows.get(old)).status == "canceled"
    await check(squall, flows, old, "*")
    made = await squall.executions.re_run(old.id, {}, None, None, tasks=["*"])
    await flows.work(good)
    assert (await flows.get(made)).status == "succeeded"
    assert [named(execution) for execution in await flows.children(made)] == ["a", "b"]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (["cleanup", "fail"], '"fail" is a command of the workflow engine'),
        (["b"], 'Task "b" has not run in this execution'),
        (["*", "a"], '"[*]" means all tasks that failed. Send it alone'),
        (["a", "zz"], "one or more tasks is not found: zz. Tasks that can be run again: a, cleanup"),
    ],
)
async def test_tasks_that_would_run_nothing_are_refused(squall: Assembly, tasks: list[str], message: str) -> None:
    text: Any = deepcopy(HANDLED)
    text["tasks"]["b"] = {"action": "core.noop"}
    text["tasks"]["a"]["next"].append({"when": "<% succeeded() %>", "do": "b"})
    flows, old = await ended(squall, failing("a"), top=text)
    with pytest.raises(InvalidError, match=message):
        await check(squall, flows, old, *tasks)


async def test_a_workflow_without_any_task_is_refused_with_its_error(squall: Assembly) -> None:
    text = {"version": 1.0, "tasks": {"a": {"action": "core.noop", "next": [{"do": "nosuch"}]}}}
    flows, old = await ended(squall, good, top=text)
    assert old.status == "failed"
    with pytest.raises(InvalidError, match=r'before any task was run \(The task "nosuch" is not defined\.\)\. Run'):
        await check(squall, flows, old, "*")


@pytest.mark.parametrize(("tasks", "reset"), [([], ("zz",)), (["a"], ("zz",)), (["*"], ("zz",)), (["*"], ("*", "zz"))])
async def test_an_unknown_task_to_reset_is_refused(squall: Assembly, tasks: list[str], reset: tuple[str, ...]) -> None:
    flows, old = await ended(squall, failing("a"), top=HANDLED)
    with pytest.raises(InvalidError, match="one or more tasks is not found: zz"):
        await check(squall, flows, old, *tasks, reset=reset)


@pytest.mark.parametrize("reset", [("*",), ("a",), ("a", "*")])
async def test_a_re_run_of_the_failed_tasks_may_reset_tasks_of_the_workflow(
    squall: Assembly, reset: tuple[str, ...]
) -> None:
    flows, old = await ended(squall, failing("a"), top=HANDLED)
    await check(squall, flows, old, "*", reset=reset)


async def test_what_is_refused_otherwise_is_left_alone(squall: Assembly) -> None:
    chain = {"chain": [{"name": "a", "ref": "core.noop"}]}
    flows, old = await ended(squall, failing("a"), top=HANDLED, links=chain)
    await check(squall, flows, old)
    await check(squall, flows, await squall.request("flows.links"), "*")
    await check(squall, flows, await squall.request("flows.top"), "*")
