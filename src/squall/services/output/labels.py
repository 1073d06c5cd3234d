"""Metadata that is sent with the output of an execution."""

from __future__ import annotations

import msgspec

from squall.core.execution.execution import Execution, ExecutionFilter
from squall.ports import Store

_CAPACITY = 4096


class Label(msgspec.Struct, frozen=True):
    """Metadata that is sent with the output of an execution.

    `task` is the name of its task in the parent workflow, and `item` the number of its item if that task has items;
    `depth` is the number of its ancestors.
    """

    action: str
    runner: str
    parent: str | None
    task: str | None = None
    depth: int = 0
    item: int | None = None


class Labels:
    """A cache of the labels of recently read executions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._labels: dict[str, Label] = {}

    async def of(self, execution_ids: set[str]) -> dict[str, Label]:
        """Returns the label of each execution, by id; executions that do not exist are left out."""
        if not execution_ids <= self._labels.keys():
            await self._load(execution_ids)
        return {key: self._labels[key] for key in execution_ids if key in self._labels}

    async def _load(self, execution_ids: set[str]) -> None:
        """Reads these executions and their ancestors, and stores their labels."""
        loaded: dict[str, Execution] = {}
        missing = execution_ids - self._labels.keys()
        while missing:
            where = ExecutionFilter(ids=tuple(missing))
            rows = await self._store.read(lambda tx, where=where: tx.executions.find(where, None, 0, False))  # type: ignore[misc]
            loaded |= {row.id: row for row in rows}
            missing = {row.parent for row in rows if row.parent} - loaded.keys() - self._labels.keys()
        if len(self._labels) + len(loaded) >= _CAPACITY:
            retained = {key: label for key, label in self._labels.items() if key in execution_ids}
            self._labels.clear()
            self._labels |= retained
        for execution in loaded.values():
            self._labels[execution.id] = Label(
                execution.action,
                execution.runner,
                execution.parent,
                _task(execution),
                self._depth(execution, loaded),
                _item(execution),
            )

    def _depth(self, execution: Execution, loaded: dict[str, Execution]) -> int:
        depth, ancestor = 0, execution
        while ancestor.parent:
            depth += 1
            if ancestor.parent not in loaded:
                label = self._labels.get(ancestor.parent)
                return depth + (label.depth if label is not None else 0)
            ancestor = loaded[ancestor.parent]
        return depth


def _task(execution: Execution) -> str | None:
    """Returns the task name that a workflow or chain wrote into the execution's context."""
    for section, name in (("orquesta", "task_name"), ("chain", "name")):
        task_context = execution.context.get(section)
        if isinstance(task_context, dict) and isinstance(task_context.get(name), str):
            return str(task_context[name])
    return None


def _item(execution: Execution) -> int | None:
    """Returns the number of the item that a workflow wrote into the execution's context."""
    task_context = execution.context.get("orquesta")
    item = task_context.get("item_id") if isinstance(task_context, dict) else None
    return item if isinstance(item, int) else None
