"""A status changes with its event and what must follow, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import ConflictError
from squall.core.event.events import EXECUTION
from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.lanes import ADVANCE, CHANGED, JOURNAL, ChildChanged, advance_of

pytestmark = pytest.mark.anyio


async def concluded(squall: Assembly, execution: Execution, status: str, result: Any) -> Execution:
    async def work(tx: Tx) -> Execution:
        current = await tx.executions.get(execution.id)
        assert current is not None
        return await squall.transitions.conclude(tx, current, status, result, squall.clock.now())

    return await squall.store.tx(work)


async def told(squall: Assembly, execution: Execution) -> list[str]:
    return [event.status for event in await squall.store.read(lambda tx: tx.events.of(EXECUTION, execution.id))]


async def test_an_end_has_its_result_its_event_and_its_record_to_carry(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    ended = await concluded(squall, execution, "succeeded", {"a": 1})
    assert (ended.status, ended.result, ended.result_size) == ("succeeded", {"a": 1}, 7)
    assert await squall.executions.get(execution.id) == ended
    assert (await told(squall, execution))[-1] == "succeeded"
    assert (await squall.store.read(lambda tx: tx.queue.depths()))[JOURNAL] == 1


async def test_what_was_asked_to_stop_ends_canceled_whatever_it_did(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    await squall.control.cancel(execution.id, "bob")
    ended = await concluded(squall, execution, "succeeded", {"a": 1})
    assert (ended.status, ended.result) == ("canceled", {"message": "Action canceled by user.", "user": "bob"})


async def test_a_refused_change_leaves_the_row_and_tells_nothing(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution)
    before = await told(squall, execution)
    with pytest.raises(ConflictError, match="is succeeded and cannot become failed"):
        await concluded(squall, execution, "failed", "late")
    assert (await squall.executions.get(execution.id)).result == "done"
    assert await told(squall, execution) == before


async def test_a_hint_wakes_readers_and_the_journaler(squall: Assembly) -> None:
    made = await squall.request()
    with squall.bus.subscribe(CHANGED) as changes, squall.bus.subscribe(JOURNAL) as journals:
        squall.transitions.hint(made)
        assert await changes.wait(0) == {made.tree}
        assert await journals.wait(0) == {made.tree}


async def test_what_is_pending_is_canceled_at_once(squall: Assembly) -> None:
    _, execution, _ = await squall.start()

    async def work(tx: Tx) -> None:
        await squall.transitions.move(tx, execution, "pending", squall.clock.now())

    await squall.store.tx(work)
    canceled = await squall.control.cancel(execution.id, "bob")
    assert (canceled.status, canceled.result["user"]) == ("canceled", "bob")


async def advances(squall: Assembly) -> list[tuple[str, Any]]:
    async def work(tx: Tx) -> list[tuple[str, Any]]:
        return [(due.key, advance_of(due)) for due in await tx.queue.claim(ADVANCE, "w", squall.clock.now(), 1, 100)]

    return await squall.store.tx(work)


async def test_the_workflow_hears_of_the_end_of_its_child_and_nobody_of_others(squall: Assembly) -> None:
    parent = await squall.request()
    child = await squall.request(
        context={"parent": {"execution_id": parent.id}, "orquesta": {"task_execution_id": "t"}}
    )
    other = await squall.child_of(parent)
    for task, execution, _ in await squall.claim():
        if execution.id in (child.id, other.id):
            await squall.finish(task, execution)
    assert await advances(squall) == [(parent.id, ChildChanged(child.id, "succeeded"))]
