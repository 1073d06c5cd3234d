"""Builds the graph of a workflow's run: tasks, transitions between them, statuses and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.timestamp import to_iso
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.state import State
from squall.ports import Store
from squall.services.workflow.run_store import RunStore

_MOST_CHILDREN = 5000


class WorkflowGraphs:
    """The graphs of runs, from their stored state."""

    def __init__(self, store: Store, stored: RunStore) -> None:
        self._store = store
        self._stored = stored

    async def of_execution(self, execution_id: str) -> dict[str, Any]:
        """Returns `{execution, status, tasks, edges}`. Raises `NotFoundError`; `InvalidError` if it is no workflow."""
        execution = await self._store.read(lambda tx: tx.executions.get(execution_id, False))
        if execution is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        if execution.runner not in WORKFLOW_RUNNERS or execution.runner == "action-chain":
            raise InvalidError(f'Execution "{execution_id}" is no workflow: its runner is "{execution.runner}".')
        state = await self._stored.peek(execution)
        where = ExecutionFilter(parent=execution_id)
        children = await self._store.read(lambda tx: tx.executions.find(where, _MOST_CHILDREN, 0, False))
        executions: dict[str, list[str]] = {}
        for child in reversed(children):
            task = child.context.get("orquesta") or {}
            executions.setdefault(str(task.get("task_execution_id")), []).append(child.id)
        return graph_document(execution, state, executions)


def graph_document(execution: Execution, state: State | None, executions: Mapping[str, list[str]]) -> dict[str, Any]:
    """Returns the graph of a run; without tasks if the run has no state. `executions`: their ids by task execution."""
    graph: dict[str, Any] = {"execution": execution.id, "status": execution.status, "tasks": [], "edges": []}
    if state is None:
        return graph
    if state.status == st.FAILED and execution.status not in ex.FINAL:
        # The execution ends after its last task, but the workflow's failure is certain before that.
        graph["status"] = st.FAILED
    for name in state.graph.workflow.tasks:
        task = state.graph.task(name)
        runs = [
            {
                "id": entry.id,
                "route": entry.route,
                "status": entry.status,
                "start_timestamp": to_iso(entry.start),
                "end_timestamp": to_iso(entry.end) if entry.end is not None else None,
                "retries": entry.tally,
                "items": _items(state.items[index].counts) if index in state.items else None,
                "executions": executions.get(entry.id, []),
            }
            for index, entry in enumerate(state.sequence)
            if entry.task == name
        ]
        status = runs[-1]["status"] if runs else None
        graph["tasks"].append({"name": name, "action": task.action, "join": task.join, "status": status, "runs": runs})
        for edge in state.graph.outbound.get(name, ()):
            count = sum(1 for entry in state.sequence if entry.task == name and entry.next.get(edge.id))
            graph["edges"].append({"from": name, "to": edge.target, "id": edge.id, "when": edge.when, "taken": count})
    graph["is_final"] = execution.status in ex.FINAL
    return graph


def _items(counts: Mapping[str, int]) -> dict[str, int]:
    """Returns the number of items by status; items without a status count as `waiting`."""
    return {name if name not in ("null", "None", "") else "waiting": count for name, count in counts.items()}
