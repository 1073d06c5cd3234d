"""Checks requests to run tasks of an ended workflow again, before an execution is created."""

from __future__ import annotations

from collections.abc import Sequence

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.workflow.conducting.failures import first_error
from squall.core.workflow.conducting.rerun import FAILED_TASKS, RerunError, check_rerun
from squall.services.execution.executions import Executions
from squall.services.workflow.run_store import RunStore
from squall.services.workflow.runs import CHAIN


class Reruns:
    """The checks of re-runs: it refuses those that would run nothing."""

    def __init__(self, executions: Executions, stored: RunStore) -> None:
        self._executions = executions
        self._stored = stored

    async def check(self, execution_id: str, tasks: Sequence[str], reset: Sequence[str]) -> None:
        """Raises `InvalidError` with the reason if a re-run of these tasks would run nothing, or if `tasks` or `reset`
        names a task that the workflow does not have; `NotFoundError`.

        Executions that have not ended or are no workflows pass.
        """
        names = list(tasks) or list(reset)
        execution = await self._executions.get(execution_id)
        is_workflow = execution.runner in WORKFLOW_RUNNERS and execution.runner != CHAIN
        if not names or not is_workflow or execution.status not in ex.FINAL:
            return
        if names == [FAILED_TASKS]:
            names = []
        elif FAILED_TASKS in names:
            raise InvalidError(
                f'tasks: "{FAILED_TASKS}" means all tasks that failed. Send it alone, or send only names of tasks.'
            )
        state = await self._stored.peek(execution)
        if state is None:
            reason = first_error(execution.result)
            raise InvalidError(
                f"No task of the workflow can be run again: it ended {execution.status} before any task was run"
                + (f" ({reason})" if reason else "")
                + ". Run the whole workflow again."
            )
        unknown = [name for name in reset if name != FAILED_TASKS and name not in state.graph.workflow.tasks]
        try:
            check_rerun(state, names, execution.status, execution.result)
            if unknown:
                check_rerun(state, unknown, execution.status, execution.result)
        except RerunError as error:
            raise InvalidError(str(error)) from error
