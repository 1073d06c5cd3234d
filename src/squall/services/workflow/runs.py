"""Loads and begins the runs of workflows."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS, split_parameters
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.workflow.conducting.rerun import FAILED_TASKS, TaskRerun
from squall.core.workflow.conducting.state import State
from squall.ports import Clock, Due, Store, Tx, WorkflowRecord
from squall.services.content.content import Content
from squall.services.execution.binding import Binding
from squall.services.lanes import ChildChanged, Start, advance_of
from squall.services.workflow.definitions import Definitions
from squall.services.workflow.run import Run, RunCache
from squall.services.workflow.run_store import RunStore

CHAIN = "action-chain"


class Runs:
    """The runs of workflows. Some stay in memory; they are current if the store has the same batch number.

    `most_nested`: the most levels of workflows in workflows.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        content: Content,
        binding: Binding,
        definitions: Definitions,
        stored: RunStore,
        runner_info: dict[str, Any],
        url: str,
        most_nested: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._content = content
        self._binding = binding
        self._definitions = definitions
        self._stored = stored
        self.runner_info = runner_info
        self._url = url
        self._most_nested = most_nested
        self._cache = RunCache()

    def forget(self, execution_id: str) -> None:
        """Drops a run from memory. Its stored state stays."""
        self._cache.drop(execution_id)

    async def notified(self, execution: Execution) -> list[str]:
        """Returns the tasks in the workflow's parameter `notify`: their executions get the workflow's notifications."""
        if not execution.notify and "notify" not in execution.parameters:
            return []
        action, _ = await self._content.snapshot(execution.snapshot)
        names = execution.parameters.get("notify", action.parameters.get("notify", {}).get("default"))
        return [str(name) for name in names] if isinstance(names, list) else []

    # -- loading

    async def load(self, execution_id: str, tasks: list[Due]) -> Run | None:
        """Returns the workflow's run, with the children named in `tasks`; None if it has ended or does not exist.

        Raises `SquallError` if it cannot be loaded now.
        """
        children = {advance.execution for advance in map(advance_of, tasks) if isinstance(advance, ChildChanged)}

        async def work(tx: Tx) -> tuple[Execution | None, int | None, dict[str, Execution], bool]:
            changes = {}
            for child_id in children:
                child = await tx.executions.get(child_id)
                if child is not None:
                    changes[child_id] = child
            execution = await tx.executions.get(execution_id, False)
            starts = execution is not None and any(isinstance(advance_of(task), Start) for task in tasks)
            too_deep = starts and await self._too_deep(tx, execution)
            return execution, await tx.workflows.seq(execution_id), changes, too_deep

        execution, seq, changes, too_deep = await self._store.read(work)
        if execution is None or execution.status in ex.FINAL or execution.runner not in WORKFLOW_RUNNERS:
            # A requester may put any parent into a child's context. A parent that is no workflow is ignored.
            self.forget(execution_id)
            return None
        if too_deep:
            return Run(execution, result=(ex.FAILED, self._nested_too_deep(execution)))
        if execution.runner == CHAIN:
            return Run(execution, is_chain=True)
        run = self._cache.get(execution_id)
        if run is None or run.record is None or run.record.seq != seq:
            run = await (self._begin(execution) if seq is None else self._stored.restore(execution))
            self._cache.add(execution_id, run)
        run.execution = execution
        run.changes = changes
        return run

    async def _too_deep(self, tx: Tx, execution: Execution | None) -> bool:
        """Checks whether a workflow has too many ancestors. A workflow that runs itself would never end."""
        for _ in range(self._most_nested + 1):
            if execution is None or execution.parent is None:
                return False
            execution = await tx.executions.get(execution.parent, False)
        return True

    def _nested_too_deep(self, execution: Execution) -> dict[str, Any]:
        text = f"The workflow is in {self._most_nested} others, and it may be in no more (workflow.most_nested)."
        return {"error": text} if execution.runner == CHAIN else {"errors": [_error(text)], "output": None}

    async def _begin(self, execution: Execution) -> Run:
        """Returns a new run. If the workflow's definition has faults, they are the run's result."""
        rerun = execution.context.get("re-run")
        if isinstance(rerun, dict) and (rerun.get("tasks") or rerun.get("reset")):
            return await self._begin_again(execution, rerun)
        try:
            action, runner = await self._content.snapshot(execution.snapshot)
            bound = await self._binding.run(execution, action, runner)
            text = await self._content.file(action)
            complaints = await self._definitions.inspect(text)
        except InvalidError as error:
            return Run(execution, result=(ex.FAILED, {"errors": [_error(str(error))], "output": None}))
        if complaints:
            return Run(execution, result=(ex.FAILED, {"errors": complaints, "output": None}))
        key, graph = self._definitions.read(text)
        if unknown := [name for name in await self.notified(execution) if name not in graph.workflow.tasks]:
            text = f"notify: the workflow has no such task: {', '.join(unknown)}"
            return Run(execution, result=(ex.FAILED, {"errors": [_error(text)], "output": None}))
        record = WorkflowRecord(execution.id, self._clock.new_id(), key)
        run = self._stored.run(execution, record, State(graph), bool(bound.secrets))
        _, run.inputs = split_parameters(bound.values, runner)
        run.text, run.begins = text, True
        run.context = {
            "st2": {
                "action_execution_id": execution.id,
                "api_url": f"{self._url}/v1",
                "user": execution.user,
                "pack": action.pack,
                "action": action.ref,
                "runner": runner.name,
                "workflow_execution_id": record.workflow,
                **{
                    name: execution.context[name]
                    for name in ("api_user", "source_channel")
                    if name in execution.context
                },
            }
        }
        if "parent" in execution.context:
            run.context["parent"] = execution.context["parent"]
        return run

    async def _begin_again(self, execution: Execution, rerun: dict[str, Any]) -> Run:
        """Returns a run that continues from the state of an ended workflow."""

        async def work(tx: Tx) -> tuple[WorkflowRecord | None, Execution | None]:
            return await tx.workflows.get(rerun["ref"]), await tx.executions.get(rerun["ref"], False)

        record, old = await self._store.read(work)
        if record is None or old is None:
            message = "Unable to rerun workflow execution because it is not found."
            return Run(execution, result=(ex.FAILED, {"errors": [{"message": message}], "output": None}))
        restored = await self._stored.restore(old)
        assert restored.conductor is not None  # noqa: S101 - a restored run has one
        latest = {task for task, _ in restored.conductor.state.latest}
        reset = list(rerun.get("reset") or ())
        tasks = list(rerun.get("tasks") or ()) or reset
        if tasks == [FAILED_TASKS]:
            tasks = []
        missing = [name for name in tasks if name not in latest]
        if missing:
            message = f"Unable to rerun workflow because one or more tasks is not found: {', '.join(missing)}"
            return Run(execution, result=(ex.FAILED, {"errors": [{"message": message}], "output": None}))
        record = msgspec.structs.replace(record, execution=execution.id, seq=0)
        record = self._stored.with_snapshot(record, restored)
        run = self._stored.run(execution, record, restored.conductor.state, restored.secret)
        run.begins = True
        run.reset = reset
        run.reruns = [
            TaskRerun(task, route, task in reset) for task, route in restored.conductor.state.latest if task in tasks
        ]
        return run


def _error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}
