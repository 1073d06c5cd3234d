"""Cancels, pauses and resumes executions for clients and workers."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.ports import Bus, Clock, Store, Tx
from squall.services.execution.transitions import Transitions
from squall.services.lanes import ADVANCE, CANCEL


class Control:
    """The changes of status that somebody requests."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, transitions: Transitions) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._transitions = transitions

    async def cancel(self, execution_id: str, user: str) -> Execution:
        """Cancels an execution and its descendants in the name of `user`: immediately if they have not started, else
        after their processes ended. If the execution is canceled already, returns it unchanged.

        Raises `NotFoundError`, and `ConflictError` in StackStorm's words if its status does not allow a cancel.
        """
        now = self._clock.now()
        stopped: list[Execution] = []

        async def work(tx: Tx) -> Execution | None:
            execution = await tx.executions.get(execution_id)
            if execution is None or execution.status == ex.CANCELED:
                return execution
            stopped[:] = await stop_tree(tx, self._transitions, execution, user, now)
            return stopped[-1]

        execution = await self._store.tx(work)
        if execution is None:
            raise _unknown(execution_id)
        for each in stopped or [execution]:
            self._bus.publish(CANCEL, each.id)
        self._transitions.hint(execution)
        return execution

    async def ask(self, execution_id: str, status: str, user: str) -> Execution:
        """Requests a workflow to pause or to resume (`pausing`, `resuming`) in the name of `user`. A second request
        changes nothing.

        Raises `NotFoundError`, and `InvalidError` if its status does not allow it.
        """
        now = self._clock.now()
        by = ex.PAUSED_BY if status == ex.PAUSING else ex.RESUMED_BY
        reached = (ex.PAUSING, ex.PAUSED) if status == ex.PAUSING else (ex.RESUMING, ex.RUNNING)

        async def work(tx: Tx) -> Execution | None:
            execution = await tx.executions.get(execution_id)
            if execution is None or execution.status in reached:
                return execution
            if status not in ex.TRANSITIONS[execution.status]:
                verb = "resumed" if status == ex.RESUMING else "paused"
                raise InvalidError(f'Execution "{execution_id}" is {execution.status} and cannot be {verb}.')
            execution = msgspec.structs.replace(execution, context=_with_name(execution.context, by, user))
            return (await self._transitions.move(tx, execution, status, now))[0]

        execution = await self._store.tx(work)
        if execution is None:
            raise _unknown(execution_id)
        self._transitions.hint(execution)
        self._bus.publish(ADVANCE, execution.id)
        return execution

    async def update(self, execution_id: str, status: str, user: str) -> Execution:
        """Cancels, pauses or resumes an execution for a client's PUT in the name of `user`. Only workflows pause.

        Raises `InvalidError`, `NotFoundError`, and `ConflictError` if a cancel comes too late.
        """
        execution = await self._store.read(lambda tx: tx.executions.get(execution_id))
        if execution is None:
            raise _unknown(execution_id)
        if execution.status in ex.FINAL:
            raise InvalidError("Execution is already in completed state.")
        if status in (ex.CANCELING, ex.CANCELED):
            return await self.cancel(execution_id, user)
        if status in (ex.PAUSING, ex.PAUSED, ex.RESUMING) and execution.runner not in WORKFLOW_RUNNERS:
            verb = "resume" if status == ex.RESUMING else "pause"
            raise InvalidError(
                f'Failed updating execution. Unable to {verb} liveaction "{execution.id}" because it is not supported '
                f'by the "{execution.runner}" runner.'
            )
        if status in (ex.PAUSING, ex.PAUSED, ex.RESUMING):
            return await self.ask(execution_id, ex.RESUMING if status == ex.RESUMING else ex.PAUSING, user)
        raise InvalidError(
            f"status {status!r} cannot be set by a client: set canceling, pausing, resuming or a final one"
        )


async def stop_tree(tx: Tx, transitions: Transitions, execution: Execution, user: str, now: int) -> list[Execution]:
    """Cancels an execution and its descendants in the transaction `tx`. Returns those that were canceled, the execution
    last; publish a hint on `CANCEL` for each. Raises `ConflictError` if its status does not allow a cancel."""
    below = await tx.executions.descendants(execution.id, None, False)
    stopped = [await transitions.stop(tx, each, user, now) for each in below if each.status in ex.CANCELABLE]
    return [*stopped, await transitions.stop(tx, execution, user, now)]


def _with_name(context: dict[str, Any], by: str, user: str) -> dict[str, Any]:
    """Returns a context with the user of a pause or a resume. A pause replaces the resume before it: a workflow whose
    context names both counts as resumed."""
    return {name: value for name, value in context.items() if name != ex.RESUMED_BY} | {by: user}


def _unknown(execution_id: str) -> NotFoundError:
    return NotFoundError(f'Unable to identify resource with id "{execution_id}".')
