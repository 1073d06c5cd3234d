"""The executions of a tree that a reader selects: one execution, with its descendants, or only some of those."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import NamedTuple

import msgspec

from squall.api.http.wire import Query
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.services.execution.executions import Executions
from squall.services.output.labels import Label
from squall.services.output.outputs import Outputs


def streams_of(text: str | None) -> frozenset[int] | None:
    """Returns the streams of `type=`. None is all streams. An unknown type has none, as recorded of StackStorm."""
    if text in (None, "all"):
        return None
    name = "output" if text == "other" else text
    number = journal.STREAM_NUMBERS.get(name or "")
    return frozenset({number}) if number is not None else frozenset()


class SelectionFilter(NamedTuple):
    """The filter in a request; None selects all. `depth` counts the levels below the requested execution."""

    tree: bool
    tasks: frozenset[str] | None
    actions: frozenset[str] | None
    depth: int | None

    @property
    def filtered(self) -> bool:
        """True if the filter selects only some executions of a tree."""
        return self.tasks is not None or self.actions is not None or self.depth is not None


def selection_filter(query: Query) -> SelectionFilter:
    """Returns the filter in `tree`, `task`, `action` and `depth`. Raises `InvalidError`."""
    depth = query.integer("depth")
    if depth is not None and depth < 0:
        raise InvalidError(f"depth: {depth} is less than 0 (0 is the execution itself)")
    tasks, actions = query.listed("task"), query.listed("action")
    return SelectionFilter(
        query.boolean("tree", True),
        frozenset(tasks) if tasks is not None else None,
        frozenset(actions) if actions is not None else None,
        depth,
    )


class Selection:
    """The executions that one reader selects, including future ones. It decides about each execution when that first
    appears. `everything`: the whole tree; `single`: only the one execution."""

    def __init__(self, outputs: Outputs, execution: Execution, filter_: SelectionFilter) -> None:
        self._outputs = outputs
        self._execution = execution
        self._filter = filter_
        self._verdicts: dict[str, bool] = {}
        root = execution.parent is None
        self.single = not filter_.tree
        self.everything = filter_.tree and root and not filter_.filtered

    @property
    def key(self) -> Hashable:
        """The key that two equal selections share."""
        return (self._execution.id, self._filter)

    async def holds(self, execution_id: str) -> bool:
        """Returns True if the execution is selected."""
        if self.everything or (self.single and execution_id == self._execution.id):
            return True
        verdict = self._verdicts.get(execution_id)
        if verdict is None:
            verdict = self._verdicts[execution_id] = await self._judge(execution_id)
        return verdict

    async def _judge(self, execution_id: str) -> bool:
        if self.single:
            return False
        label = (await self._outputs.labels({execution_id})).get(execution_id)
        levels = await self._levels(execution_id, label)
        if label is None or levels is None:
            return False
        filter_ = self._filter
        return (
            (filter_.depth is None or levels <= filter_.depth)
            and (filter_.tasks is None or label.task in filter_.tasks)
            and (filter_.actions is None or label.action in filter_.actions)
        )

    async def _levels(self, execution_id: str, label: Label | None) -> int | None:
        """Returns the number of levels between the selected execution and a descendant; None if it is no
        descendant."""
        levels, at = 0, execution_id
        while at != self._execution.id:
            if label is None or label.parent is None:
                return None
            levels, at = levels + 1, label.parent
            label = (await self._outputs.labels({at})).get(at)
        return levels

    async def labels(self, execution_ids: Collection[str]) -> dict[str, Label]:
        """Returns the labels of executions. Their depth counts from the selected execution."""
        labels = await self._outputs.labels(set(execution_ids) | {self._execution.id})
        top_depth = labels[self._execution.id].depth if self._execution.id in labels else 0
        if not top_depth:
            return labels
        return {key: msgspec.structs.replace(label, depth=label.depth - top_depth) for key, label in labels.items()}

    async def members(self, executions: Executions) -> tuple[str, ...] | None:
        """Returns the ids of the selected executions that exist now; None for the whole tree."""
        if self.single:
            return (self._execution.id,)
        if self.everything:
            children = await executions.child_ids([self._execution.id])
            return None if children else (self._execution.id,)
        descendants, _ = await executions.children(self._execution.id, None, False)
        return tuple(
            [each for each in (self._execution.id, *(child.id for child in descendants)) if await self.holds(each)]
        )
