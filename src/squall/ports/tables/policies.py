"""The tables of policies, of the places of executions under them, and of traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from squall.core.execution.policy import Policy
from squall.core.execution.trace import Trace, TraceFilter, TracePart


class PolicyRows(Protocol):
    """The table of policies."""

    async def put(self, policy: Policy) -> None:
        """Adds a policy, or replaces the one with the same id. No other policy may have the same ref."""
        ...

    async def get(self, ref_or_id: str) -> Policy | None:
        """Returns a policy by its ref or id."""
        ...

    async def delete(self, policy_id: str) -> None:
        """Removes a policy."""
        ...

    async def find(
        self, resource_ref: str | None = None, pack: str | None = None, policy_type: str | None = None
    ) -> Sequence[Policy]:
        """Returns the policies that match, ordered by ref."""
        ...


class Slot(msgspec.Struct, frozen=True):
    """A place of an execution under a policy: it runs (`holding`), or it waits in the line of that policy and `key`.

    `number` is its order. `child`: the execution has a parent; `workflow`: it can have children.
    """

    number: int
    policy: str
    key: str
    execution: str
    holding: bool
    child: bool
    workflow: bool


class SlotRows(Protocol):
    """The executions that run or wait under policies of concurrency. `policy` is a ref."""

    async def add(self, slot: Slot) -> None:
        """Adds a place at the end, and sets its `number`."""
        ...

    async def hold(self, execution_id: str) -> None:
        """Marks every place of a waiting execution as `holding`."""
        ...

    async def leave(self, execution_id: str) -> Sequence[Slot]:
        """Removes every place of an execution. Returns the removed places."""
        ...

    async def of_execution(self, execution_id: str) -> Sequence[Slot]:
        """Returns every place of an execution."""
        ...

    async def held(self, policy: str, key: str, leaves: bool) -> int:
        """Returns the number of executions that hold a place; if `leaves`, without workflows."""
        ...

    async def line(self, policy: str, key: str, children: bool, after: int, limit: int) -> Sequence[Slot]:
        """Returns the waiting places behind number `after`, in order; if `children`, only those of children."""
        ...

    async def waiting(self, action: str) -> Sequence[str]:
        """Returns the waiting executions of an action, in order."""
        ...

    async def ahead(self, slot: Slot) -> int:
        """Returns the number of places that wait before this one."""
        ...

    async def holders(self, policy: str, key: str, limit: int) -> Sequence[str]:
        """Returns up to `limit` executions that hold a place, oldest first."""
        ...


class TraceRows(Protocol):
    """The tables of traces and of their parts."""

    async def add(self, trace: Trace) -> None:
        """Adds a trace, with its parts."""
        ...

    async def join(self, trace_id: str, part: TracePart) -> None:
        """Adds a part to a trace."""
        ...

    async def get(self, trace_id: str) -> Trace | None:
        """Returns a trace with its parts, oldest first."""
        ...

    async def known(self, trace_id: str) -> bool:
        """Checks whether the trace exists."""
        ...

    async def of_execution(self, execution_id: str) -> str | None:
        """Returns the id of the trace that contains an execution."""
        ...

    async def find(self, where: TraceFilter, limit: int | None, offset: int) -> Sequence[Trace]:
        """Returns a page of the traces that match, with their parts, ordered by start and id."""
        ...

    async def count(self, where: TraceFilter, cap: int) -> int:
        """Returns the number of traces that match, at most `cap`."""
        ...
