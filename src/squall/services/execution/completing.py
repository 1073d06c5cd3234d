"""Completes executions from outside: a client sets the final status and the result."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, encoded_size, with_result
from squall.core.execution.inquiry import RUNNER as INQUIRY
from squall.ports import Bus, Store, Tx
from squall.services.content.secret_results import SecretResults
from squall.services.lanes import CANCEL, CHANGED

STATUSES = ex.FINAL - {ex.CANCELED}
"""The final statuses that a client may set. A client that sends `canceled` requests a cancel instead."""

_PATIENCE = 30.0
"""Seconds that a request waits for the process to stop. A keeper kills a process in less time."""


class Completing:
    """Completes executions. `secrets` seals the secret parts of a result. `poll` is the interval of the status checks
    in seconds."""

    def __init__(self, store: Store, bus: Bus, secrets: SecretResults, *, poll: float) -> None:
        self._store = store
        self._bus = bus
        self._secrets = secrets
        self._poll = poll

    async def complete(self, execution_id: str, status: str, result: Any, user: str) -> Execution:
        """Ends an execution with a `status` of `STATUSES` and a result (any JSON value), in the name of `user`.

        Stops a running process first, so that all of its output comes before the end. An execution that has not
        started never starts a process. Returns the execution after its end, or its state after 30 seconds.

        Raises `NotFoundError`, and `InvalidError` if the execution has ended, is delayed, or is a workflow or inquiry.
        """

        async def work(tx: Tx) -> Execution:
            execution = await tx.executions.get(execution_id)
            if execution is None:
                raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
            _check(execution)
            sealed = await self._secrets.sealed(tx, execution, result)
            execution = with_result(execution, sealed, encoded_size(result))
            context = {**execution.context, ex.COMPLETED_BY: user, ex.COMPLETED_AS: status}
            execution = msgspec.structs.replace(execution, context=context)
            await tx.executions.update(execution)
            return execution

        with self._bus.subscribe(CHANGED) as hints:
            execution = await self._store.tx(work)
            self._bus.publish(CANCEL, execution.id)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    while execution.status not in ex.FINAL:
                        await hints.wait(self._poll)
                        execution = await self._get(execution_id)
        return execution

    async def _get(self, execution_id: str) -> Execution:
        execution = await self._store.read(lambda tx: tx.executions.get(execution_id))
        if execution is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        return execution


def _check(execution: Execution) -> None:
    """Raises `InvalidError`, with the next step, if no client may complete the execution."""
    if execution.status in ex.FINAL:
        raise InvalidError("Execution is already in completed state.")
    if execution.runner == INQUIRY:
        raise InvalidError(
            f'Failed updating execution. "{execution.id}" is an inquiry: PUT its answer to /v1/inquiries.'
        )
    if execution.runner in WORKFLOW_RUNNERS:
        raise InvalidError(
            f'Failed updating execution. "{execution.id}" is a workflow, which ends by its tasks: complete the '
            "execution of a task, or cancel the workflow."
        )
    if execution.status == ex.DELAYED:
        raise InvalidError(
            f'Failed updating execution. "{execution.id}" is delayed and has not started: cancel it instead.'
        )
    if execution.status == ex.CANCELING or ex.COMPLETED_AS in execution.context:
        raise InvalidError(f'Failed updating execution. "{execution.id}" is being stopped already: wait for its end.')
