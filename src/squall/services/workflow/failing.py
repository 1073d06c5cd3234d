"""Handles workflows that cannot advance: retries them later if a retry may help, else fails them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from squall.core.environment import is_of_environment
from squall.core.errors import ConflictError, SquallError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.expr.json_value import printable
from squall.ports import Clock, Due, Store, Tx
from squall.services.execution.transitions import Transitions
from squall.services.holdups import Holdups
from squall.services.workflow.runs import CHAIN, Runs

_LOG = logging.getLogger("squall.workflows")
_RETRY_DELAY = 200_000
_MOST_CONFLICTS = 5


class Failing:
    """Releases rows of lane `advance` for a retry, or fails their workflow."""

    def __init__(self, store: Store, clock: Clock, transitions: Transitions, runs: Runs, holdups: Holdups) -> None:
        self._store = store
        self._clock = clock
        self._transitions = transitions
        self._runs = runs
        self._holdups = holdups

    def over(self, key: str) -> None:
        """Notes that workflow `key` has advanced, so that it waits for the machine no more."""
        self._holdups.over(key)

    async def drop(self, tasks: list[Due]) -> None:
        """Removes the rows of a workflow that has ended or does not exist."""
        await self._store.tx(lambda tx: done(tx, tasks))

    async def release(self, key: str, tasks: list[Due], delay: int = _RETRY_DELAY) -> None:
        """Releases the rows of workflow `key` for a retry in `delay` µs, and drops its run from memory. Waits as long
        as the environment makes that fail."""
        self._runs.forget(key)

        async def work(tx: Tx) -> None:
            for task in tasks:
                await tx.queue.release(task, self._clock.now() + delay)

        while True:
            try:
                await self._store.tx(work)
                return
            except Exception as error:
                if not is_of_environment(error):
                    raise
                await self._holdups.wait(key, error)

    async def fail_or_release(self, key: str, tasks: list[Due], error: Exception) -> None:
        """Fails the workflow, unless a retry may help: after an error of the environment, after a conflict, which a
        change may have caused, if a row was claimed again, and if the failure cannot be written."""
        if isinstance(error, LostRowsError):
            await self.release(key, tasks, 0)
            return
        if is_of_environment(error):
            await self.release(key, tasks, int(self._holdups.failed(key, error) * 1_000_000))
            return
        _LOG.error("advancing a workflow failed", exc_info=error, extra={"execution": key})
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
    """Removes handled rows from the queue. Raises `LostRowsError` if a row is no longer held: whoever claimed it since
    will handle it, and a change that is handled twice could count twice, as two failures of a task that is retried."""
    for task in tasks:
        if not await tx.queue.done(task):
            raise LostRowsError(f"Row {task.id} of lane {task.lane} was claimed again.")


class LostRowsError(SquallError):
    """A step of a workflow must not be written, because the lease of one of its rows was over."""

    code = "internal"
