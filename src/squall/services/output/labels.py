"""What is told of an execution beside its output."""

from __future__ import annotations

import msgspec

from squall.core.execution.execution import Execution, ExecutionFilter
from squall.ports import Store

_KEPT = 4096


class Label(msgspec.Struct, frozen=True):
    """What is told of an execution beside its output: `task` is its name in the workflow it belongs to, `depth` how
    many executions stand above it."""

    action: str
    runner: str
    parent: str | None
    task: str | None = None
    depth: int = 0


class Labels:
    """Remembers the labels of the executions that were asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._labels: dict[str, Label] = {}

    async def of(self, execution_ids: set[str]) -> dict[str, Label]:
        """Action, runner, parent, task and depth of each of these executions."""
        if not execution_ids <= self._labels.keys():
            await self._learn(execution_ids)
        return {key: self._labels[key] for key in execution_ids if key in self._labels}

    async def _learn(self, execution_ids: set[str]) -> None:
        """Finds these executions and those above them."""
        found: dict[str, Execution] = {}
        wanted = execution_ids - self._labels.keys()
        while wanted:
            where = ExecutionFilter(ids=tuple(wanted))
            rows = await self._store.read(lambda tx, where=where: tx.executions.find(where, None, 0, False))  # type: ignore[misc]
            found |= {row.id: row for row in rows}
            wanted = {row.parent for row in rows if row.parent} - found.keys() - self._labels.keys()
        if len(self._labels) + len(found) >= _KEPT:
            kept = {key: label for key, label in self._labels.items() if key in execution_ids}
            self._labels.clear()
            self._labels |= kept
        for execution in found.values():
            self._labels[execution.id] = Label(
                execution.action, execution.runner, execution.parent, _task(execution), self._depth(execution, found)
            )

    def _depth(self, execution: Execution, found: dict[str, Execution]) -> int:
        depth, at = 0, execution
        while at.parent:
            depth += 1
            if at.parent not in found:
                known = self._labels.get(at.parent)
                return depth + (known.depth if known is not None else 0)
            at = found[at.parent]
        return depth


def _task(execution: Execution) -> str | None:
    """The name of the task that an execution is, as workflows and chains write it into its context."""
    for section, name in (("orquesta", "task_name"), ("chain", "name")):
        told = execution.context.get(section)
        if isinstance(told, dict) and isinstance(told.get(name), str):
            return str(told[name])
    return None
