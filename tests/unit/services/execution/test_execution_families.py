"""Executions again: requested once more, in families, and looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event import events
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.services.lanes import CANCEL
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio


async def everything(squall: Assembly) -> list[Execution]:
    found, _, _ = await squall.executions.find(ExecutionFilter(), None, 0, True)
    return found


async def test_a_re_run_merges_what_is_given_over_what_was_and_keeps_secrets(squall: Assembly) -> None:
    old = await squall.request(
        parameters={"cmd": "true", "password": "hunter2", "options": {"token": "t"}},
        context={"trace_context": {"trace_tag": "t"}, "other": 1},
    )
    new = await squall.executions.re_run(old.id, {"cmd": "false"}, "bob", 500)
    assert (new.action, new.delay, new.user) == ("core.local", 500, "bob")
    assert new.context == {
        "re-run": {"ref": old.id},
        "trace_context": {"id_": await squall.store.read(lambda tx: tx.traces.of_execution(old.id))},
        "user": "bob",
        "pack": "core",
    }
    assert new.parameters["password"] != old.parameters["password"]
    action, runner = await squall.content.snapshot(new.snapshot)
    assert (await squall.binding.run(new, action, runner)).values == {
        "cmd": "false",
        "password": "hunter2",
        "options": {"token": "t"},
        "timeout": 60,
    }


async def test_a_re_run_with_asterisks_for_a_secret_keeps_the_secret(squall: Assembly) -> None:
    old = await squall.request(parameters={"cmd": "true", "password": "hunter2", "options": {"token": "t0k", "a": 1}})
    overrides = {"password": "********", "options": {"token": "********", "a": 2}, "cmd": "********"}
    new = await squall.executions.re_run(old.id, overrides, None, None)
    action, runner = await squall.content.snapshot(new.snapshot)
    values = (await squall.binding.run(new, action, runner)).values
    assert values["password"] == "hunter2"
    assert values["options"] == {"token": "t0k", "a": 2}
    assert values["cmd"] == "********"
    forged = {"options": {"token": "********", "a": {"$sealed": "forged"}}}
    again = await squall.executions.re_run(old.id, forged, None, None)
    assert again.parameters["options"]["a"] == {"$sealed": "forged"}


async def test_a_re_run_with_wrong_parameters_or_of_nothing_is_refused(squall: Assembly) -> None:
    old = await squall.request()
    with pytest.raises(InvalidError, match="'bogus' was unexpected"):
        await squall.executions.re_run(old.id, {"bogus": 1}, None, None)
    with pytest.raises(NotFoundError):
        await squall.executions.re_run(sample_id(9), {}, None, None)
    assert len(await everything(squall)) == 1


# -- trees


async def test_a_child_is_in_its_parents_tree(squall: Assembly) -> None:
    root = await squall.request()
    child = await squall.child_of(root)
    grandchild = await squall.child_of(child)
    assert [each.tree for each in (root, child, grandchild)] == [root.id] * 3
    assert [each.parent for each in (root, child, grandchild)] == [None, root.id, child.id]
    below, children = await squall.executions.children(root.id, None, True)
    assert [each.id for each in below] == [child.id, grandchild.id]
    assert children == {child.id: [grandchild.id]}
    assert [each.id for each in (await squall.executions.children(root.id, 1, True))[0]] == [child.id]
    assert await squall.executions.child_ids([root.id]) == {root.id: [child.id]}


@pytest.mark.parametrize("end", ["root", "parent"])
async def test_what_has_ended_takes_no_children(squall: Assembly, end: str) -> None:
    root = await squall.request()
    parent = await squall.child_of(root)
    claimed = {execution.id: task for task, execution, _ in await squall.claim()}
    which = root if end == "root" else parent
    await squall.finish(claimed[which.id], which)
    with pytest.raises(InvalidError, match="has ended and takes no children"):
        await squall.child_of(parent)


async def test_a_context_whose_parent_is_null_makes_a_root(squall: Assembly) -> None:
    made = await squall.request(context={"parent": None})
    assert (made.tree, made.parent) == (made.id, None)


@pytest.mark.parametrize(
    "parent", [{}, "text", [], 5, *({"execution_id": named} for named in (None, "nosuch", 5, ["a"], {"a": 1}))]
)
async def test_a_parent_that_is_none_is_told_and_nothing_is_made(squall: Assembly, parent: Any) -> None:
    with pytest.raises(InvalidError, match=r"context\.parent"):
        await squall.request(context={"parent": parent})
    assert await everything(squall) == []


# -- looking


async def test_the_last_is_the_one_that_started_last(squall: Assembly) -> None:
    with pytest.raises(NotFoundError, match="No execution has been requested yet"):
        await squall.executions.resolve("last")
    await squall.request()
    squall.clock.advance(1)
    last = await squall.request()
    assert await squall.executions.resolve("last") == last.id
    assert await squall.executions.resolve("anything else") == "anything else"


async def test_what_is_not_there_is_told_in_stackstorms_words(squall: Assembly) -> None:
    looks: list[Callable[[], Any]] = [
        lambda: squall.executions.get(sample_id(9)),
        lambda: squall.control.cancel(sample_id(9), "ada"),
        lambda: squall.executions.children(sample_id(9), None, True),
        lambda: squall.control.update(sample_id(9), "canceled", "ada"),
    ]
    for look in looks:
        with pytest.raises(NotFoundError, match=f'Unable to identify resource with id "{sample_id(9)}"'):
            await look()


async def test_a_page_comes_with_the_total_and_the_children(squall: Assembly) -> None:
    root = await squall.request()
    for _ in range(3):
        squall.clock.advance(1)
        await squall.child_of(root)
    page, total, children = await squall.executions.find(ExecutionFilter(newest_first=False), 2, 0, True)
    assert (len(page), total) == (2, 4)
    assert page[0].id == root.id
    assert len(children[root.id]) == 3


async def test_every_status_of_an_execution_is_told_by_an_event(squall: Assembly) -> None:
    task, execution, _ = await squall.start(delay=None)
    await squall.control.cancel(execution.id, "ada")
    await squall.finish(task, execution)
    ended = await squall.executions.get(execution.id)
    found = await squall.store.read(lambda tx: tx.events.of(events.EXECUTION, execution.id))
    assert [event.status for event in found] == [entry.status for entry in ended.log]
    assert [event.at for event in found] == [entry.at for entry in ended.log]
    assert found[0].name == events.EXECUTION_CREATE


async def test_canceling_ends_the_whole_tree_once(squall: Assembly) -> None:
    root = await squall.request()
    ((task, _, _),) = await squall.claim()
    waiting = await squall.child_of(root, delay=5000)
    done = await squall.child_of(root)
    ((done_task, _, _),) = await squall.claim()
    await squall.finish(done_task, done)
    runs = await squall.child_of(root)
    ((runs_task, _, _),) = await squall.claim()
    with squall.bus.subscribe(CANCEL) as cancels:
        await squall.control.cancel(root.id, "bob")
        assert await cancels.wait(0) == {root.id, waiting.id, runs.id}
    assert [(await squall.executions.get(each.id)).status for each in (root, waiting, done, runs)] == [
        "canceling",
        "canceled",
        "succeeded",
        "canceling",
    ]
    await squall.finish(runs_task, runs)
    await squall.finish(task, root)
    for each in (root, waiting, runs):
        ended = await squall.executions.get(each.id)
        assert (ended.status, ended.context["cancelled_by"]) == ("canceled", "bob")
        assert [entry.status for entry in ended.log].count("canceled") == 1
