"""The one place where the status of an execution changes in the store, with the event that tells it and the queue rows
of what must follow, all in one transaction."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core import events
from squall.core import execution as ex
from squall.core.action import WORKFLOW_RUNNERS
from squall.core.errors import ConflictError
from squall.core.execution import Execution, transition, with_result
from squall.ports import Bus, Tx
from squall.services.lanes import ADVANCE, CHANGED, JOURNAL, RUN

_ASKED = frozenset({ex.PAUSING, ex.RESUMING, ex.CANCELING})


def _concerns_parent(execution: Execution, before: str) -> bool:
    """Whether the workflow or chain an execution belongs to must hear of its status."""
    if not {"orquesta", "chain"} & execution.context.keys():
        return False
    told = ex.FINAL | _ASKED | {ex.PENDING, ex.PAUSED}
    return execution.status in told or (execution.status == ex.RUNNING and before in (ex.RESUMING, ex.PENDING))


class Transitions:
    """Changes of status, whoever makes them: workers, workflows, inquiries, people.

    The methods with a `tx` work inside of their caller's transaction, which may do more; `hint` is for behind it.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def move(self, tx: Tx, execution: Execution, status: str, now: int) -> tuple[Execution, int]:
        """Gives an execution its next status: its row with all that has changed in `execution`, the event, and for what
        comes after `running` a row in lane `journal`. Gives the execution and the event's row.

        The workflow it belongs to gets a row in lane `advance`, and so does a workflow that was asked for something.

        Raises `ConflictError` when it may not become that.
        """
        before = execution.status
        execution = transition(execution, status, now)
        await tx.executions.update(execution)
        row = await tx.events.add(events.EXECUTION_UPDATE, execution, execution.log[-1].at)
        if status in ex.STARTED and status != ex.RUNNING:
            told = [execution.tree, status, row, execution.log[-1].at, execution.parent is not None]
            await tx.queue.put(JOURNAL, execution.id, told, now)
        if execution.parent is not None and _concerns_parent(execution, before):
            await tx.queue.put(ADVANCE, execution.parent, ["child", execution.id, status], now)
        if status in _ASKED and execution.runner in WORKFLOW_RUNNERS:
            await tx.queue.put(ADVANCE, execution.id, ["asked", status], now)
        return execution, row

    async def stop(self, tx: Tx, execution: Execution, who: str, now: int) -> Execution:
        """Cancels one that can be: at once if nothing of it runs, else it is asked to stop (`canceling`), and whoever
        runs it ends it with `conclude`. Raises `ConflictError`, in StackStorm's words, when it cannot be canceled."""
        if execution.status not in ex.CANCELABLE:
            raise ConflictError(f"Action cannot be canceled. State = {execution.status}.")
        waiting = execution.status in (ex.REQUESTED, ex.DELAYED, ex.PENDING)
        execution = msgspec.structs.replace(execution, context={**execution.context, "cancelled_by": who})
        result = cancel_result(execution)
        execution = with_result(execution, result, len(msgspec.json.encode(result)))
        if waiting:
            await tx.queue.discard(RUN, execution.id)
        execution, _ = await self.move(tx, execution, ex.CANCELED if waiting else ex.CANCELING, now)
        return execution

    async def conclude(self, tx: Tx, execution: Execution, status: str, result: Any, now: int) -> Execution:
        """Ends an execution with its result; one that was asked to stop ends `canceled`, whatever it did instead."""
        if execution.status == ex.CANCELING:
            status, result = ex.CANCELED, cancel_result(execution)
        execution = with_result(execution, result, len(msgspec.json.encode(result)))
        return (await self.move(tx, execution, status, now))[0]

    def hint(self, execution: Execution) -> None:
        """Tells whoever waits that an execution has changed."""
        self._bus.publish(CHANGED, execution.tree)
        self._bus.publish(JOURNAL, execution.tree)
        self._bus.publish(ADVANCE, execution.parent or execution.id)


def cancel_result(execution: Execution) -> dict[str, Any]:
    """The result of an execution that was canceled, as StackStorm words it."""
    return {"message": "Action canceled by user.", "user": execution.context.get("cancelled_by", execution.user)}
