"""Handles workflows that cannot advance: retries them later if a retry may help, else fails them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from squall.core.errors import ConflictError, SquallError, UnavailableError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.expr.json_value import printable
from squall.ports import Clock, Due, Store, Tx
from squall.services.execution.transitions import Transitions
from squall.services.workflow.runs import CHAIN, Runs

_LOG = logging.getLogger("squall.workflows")
_RETRY_DELAY = 200_000
_MOST_CONFLICTS = 5
ENVIRONMENT = (UnavailableError, OSError, MemoryError)
"""The errors after which a retry with the same input may succeed. After any other error it would fail again."""


class Failing:
    """Releases rows of lane `advance` for a retry, or fails their workflow."""

    def __init__(self, store: Store, clock: Clock, transitions: Transitions, runs: Runs) -> None:
        self._store = store
        self._clock = clock
        self._transitions = transitions
        self._runs = runs

    async def drop(self, tasks: list[Due]) -> None:
        """Removes the rows of a workflow that has ended or does not exist."""
        await self._store.tx(lambda tx: done(tx, tasks))

    async def release(self, key: str, tasks: list[Due]) -> None:
        """Releases the rows of workflow `key` for a retry in 0.2 s, and drops its run from memory."""
        self._runs.forget(key)
        later = self._clock.now() + _RETRY_DELAY

        async def work(tx: Tx) -> None:
            for task in tasks:
                await tx.queue.release(task, later)

        await self._store.tx(work)

    async def fail_or_release(self, key: str, tasks: list[Due], error: Exception) -> None:
        """Fails a workflow that cannot go on. Releases its rows for a retry instead after a conflict, which another
        change may have caused, and if the failure cannot be written."""
        if isinstance(error, ConflictError) and max(task.attempts for task in tasks) <= _MOST_CONFLICTS:
            await self.release(key, tasks)
            return
        try:
            await self._fail(key, tasks, error)
        except Exception:
            _LOG.exception(
                "the failure of a workflow could not be stored; the server retries", extra={"execution": key}
            )
            await self.release(key, tasks)

    async def _fail(self, key: str, tasks: list[Due], error: Exception) -> None:
        """Fails the workflow with the error's text, so that a defect leaves no workflow running for ever."""
        self._runs.forget(key)
        now = self._clock.now()
        message = worded(error)

        async def work(tx: Tx) -> Execution | None:
            await done(tx, tasks)
            execution = await tx.executions.get(key, False)
            if execution is None or execution.status in ex.FINAL:
                return None
            if ex.FAILED not in ex.TRANSITIONS[execution.status] and execution.status == ex.PAUSED:
                execution, _ = await self._transitions.move(tx, execution, ex.RESUMING, now)
            result: dict[str, Any] = {"output": None, "errors": [{"type": "error", "message": message}]}
            if execution.runner == CHAIN:
                result = {"error": message, "traceback": ""}
            return await self._transitions.conclude(tx, execution, ex.FAILED, result, now)

        execution = await self._store.tx(work)
        if execution is not None:
            self._transitions.hint(execution)


def worded(error: Exception) -> str:
    """Returns the text of an error for a result, with its class unless it is a `SquallError`."""
    return printable(str(error) if isinstance(error, SquallError) else f"{type(error).__name__}: {error}")


async def done(tx: Tx, tasks: Sequence[Due]) -> None:
    """Removes handled rows from the queue."""
    for task in tasks:
        await tx.queue.done(task)
