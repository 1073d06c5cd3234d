"""Which executions of a tree a reader wants: one, it and what is below it, or only some of those."""

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
    """The streams of `type=`: None is all of them; an unknown type has none, as recorded of StackStorm."""
    if text in (None, "all"):
        return None
    name = "output" if text == "other" else text
    number = journal.STREAM_NUMBERS.get(name or "")
    return frozenset({number}) if number is not None else frozenset()


class Wanted(NamedTuple):
    """What a request says of them; None asks for all. `depth` counts the levels below the execution asked for."""

    tree: bool
    tasks: frozenset[str] | None
    actions: frozenset[str] | None
    depth: int | None

    @property
    def filtered(self) -> bool:
        """Whether only some of a tree are wanted."""
        return self.tasks is not None or self.actions is not None or self.depth is not None


def wanted_of(query: Query) -> Wanted:
    """What `tree`, `task`, `action` and `depth` ask for. Raises `InvalidError`."""
    depth = query.integer("depth")
    if depth is not None and depth < 0:
        raise InvalidError(f"depth: {depth} is less than 0 (0 is the execution itself)")
    tasks, actions = query.listed("task"), query.listed("action")
    return Wanted(
        query.boolean("tree", True),
        frozenset(tasks) if tasks is not None else None,
        frozenset(actions) if actions is not None else None,
        depth,
    )


class Selection:
    """The executions that one reader wants, also those that are yet to come; asked about again whenever an unknown one
    turns up. `everything`: all of the tree; `single`: only the one execution."""

    def __init__(self, outputs: Outputs, execution: Execution, wanted: Wanted) -> None:
        self._outputs = outputs
        self._execution = execution
        self._wanted = wanted
        self._known: dict[str, bool] = {}
        root = execution.parent is None
        self.single = not wanted.tree
        self.everything = wanted.tree and root and not wanted.filtered

    @property
    def key(self) -> Hashable:
        """What makes two selections the same."""
        return (self._execution.id, self._wanted)

    async def holds(self, execution_id: str) -> bool:
        """Whether the execution is wanted."""
        if self.everything or (self.single and execution_id == self._execution.id):
            return True
        found = self._known.get(execution_id)
        if found is None:
            found = self._known[execution_id] = await self._judge(execution_id)
        return found

    async def _judge(self, execution_id: str) -> bool:
        if self.single:
            return False
        own = (await self._outputs.labels({execution_id})).get(execution_id)
        levels = await self._levels(execution_id, own)
        if own is None or levels is None:
            return False
        wanted = self._wanted
        return (
            (wanted.depth is None or levels <= wanted.depth)
            and (wanted.tasks is None or own.task in wanted.tasks)
            and (wanted.actions is None or own.action in wanted.actions)
        )

    async def _levels(self, execution_id: str, label: Label | None) -> int | None:
        """How far below the execution asked for another one is; None if it is not below it."""
        levels, at = 0, execution_id
        while at != self._execution.id:
            if label is None or label.parent is None:
                return None
            levels, at = levels + 1, label.parent
            label = (await self._outputs.labels({at})).get(at)
        return levels

    async def labels(self, execution_ids: Collection[str]) -> dict[str, Label]:
        """What is told of executions; their depth is counted from the one asked for."""
        found = await self._outputs.labels(set(execution_ids) | {self._execution.id})
        above = found[self._execution.id].depth if self._execution.id in found else 0
        if not above:
            return found
        return {key: msgspec.structs.replace(label, depth=label.depth - above) for key, label in found.items()}

    async def members(self, executions: Executions) -> tuple[str, ...] | None:
        """Those that there are now; None for all of the tree."""
        if self.single:
            return (self._execution.id,)
        if self.everything:
            children = await executions.child_ids([self._execution.id])
            return None if children else (self._execution.id,)
        below, _ = await executions.children(self._execution.id, None, False)
        return tuple([each for each in (self._execution.id, *(child.id for child in below)) if await self.holds(each)])
