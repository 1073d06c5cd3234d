"""Follows the executions that the fires of timers start, so that a fire which waits for them happens when they end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.execution.transitions import Transitions
from squall.services.lanes import AT_ONCE, SCHEDULE

Entered = Callable[[Tx, Execution], Awaitable[None]]
"""What is done in the transaction that adds an execution."""


async def replan(tx: Tx, trigger_id: str) -> None:
    """Lets the timer of a trigger be looked at at once. A decision that is being made about it becomes void."""
    await tx.queue.discard(SCHEDULE, trigger_id)
    await tx.queue.put(SCHEDULE, trigger_id, None, AT_ONCE)


class FireExecutions:
    """A `Follower` of executions. It also follows those that a retry policy requests again."""

    def entering(self, then: Entered) -> Entered:
        """Returns what is to be done with each new execution: `then`, and to note it if a fire has started it."""

        async def entered(tx: Tx, execution: Execution) -> None:
            await then(tx, execution)
            instance_id = _instance(execution)
            if instance_id:
                await tx.fires.entered(execution.id, instance_id)

        return entered

    async def moved(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
        """Lets the fires that wait for an execution happen when it has ended."""
        if execution.status not in ex.FINAL or not _instance(execution):
            return
        trigger_id = await tx.fires.ended(execution.id)
        if trigger_id is not None:
            await replan(tx, trigger_id)
            transitions.hint_later(SCHEDULE, trigger_id)


def _instance(execution: Execution) -> str:
    """Returns the id of the trigger instance that started an execution; empty if none did."""
    instance = execution.context.get("trigger_instance") if execution.parent is None else None
    instance_id = instance.get("id") if isinstance(instance, dict) else None
    return instance_id if isinstance(instance_id, str) else ""
