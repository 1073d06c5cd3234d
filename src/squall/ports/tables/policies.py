"""The tables of policies, of the places that they give, and of traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from squall.core.execution.policy import Policy
from squall.core.execution.trace import Trace, TraceFilter, TracePart


class PolicyRows(Protocol):
    """The table of policies."""

    async def put(self, policy: Policy) -> None:
        """Adds a policy, or replaces the one of the same id. There must be no other of the same ref."""
        ...

    async def get(self, ref_or_id: str) -> Policy | None:
        """One policy."""
        ...

    async def delete(self, policy_id: str) -> None:
        """Removes a policy."""
        ...

    async def find(
        self, resource_ref: str | None = None, pack: str | None = None, policy_type: str | None = None
    ) -> Sequence[Policy]:
        """Those that match, by ref."""
        ...


class Slot(msgspec.Struct, frozen=True):
    """A place of an execution under a policy: it runs (`holding`), or it waits in the line of that policy and `key`.

    `number` is its order. `child`: it has a parent; `workflow`: it is one that others are children of.
    """

    number: int
    policy: str
    key: str
    execution: str
    holding: bool
    child: bool
    workflow: bool


class SlotRows(Protocol):
    """Who runs and who waits under policies of concurrency. `policy` is a ref."""

    async def add(self, slot: Slot) -> None:
        """Adds a place at the end; its `number` is given here."""
        ...

    async def hold(self, execution_id: str) -> None:
        """Turns every place of a waiting execution into one that it holds."""
        ...

    async def leave(self, execution_id: str) -> Sequence[Slot]:
        """Removes every place of an execution; gives what they were."""
        ...

    async def of_execution(self, execution_id: str) -> Sequence[Slot]:
        """Every place of an execution."""
        ...

    async def held(self, policy: str, key: str, leaves: bool) -> int:
        """How many hold a place; of `leaves` only, workflows not counted."""
        ...

    async def line(self, policy: str, key: str, children: bool, after: int, limit: int) -> Sequence[Slot]:
        """Who waits behind number `after`, in order; only `children`, or all."""
        ...

    async def waiting(self, action: str) -> Sequence[str]:
        """The executions of an action that wait, in order."""
        ...

    async def ahead(self, slot: Slot) -> int:
        """How many wait before this one."""
        ...

    async def holders(self, policy: str, key: str, limit: int) -> Sequence[str]:
        """Some of those who hold a place, the oldest first."""
        ...


class TraceRows(Protocol):
    """The tables of traces and of what is in them."""

    async def add(self, trace: Trace) -> None:
        """Adds a trace, with its parts."""
        ...

    async def join(self, trace_id: str, part: TracePart) -> None:
        """Adds a part to a trace."""
        ...

    async def get(self, trace_id: str) -> Trace | None:
        """One trace with its parts, oldest first."""
        ...

    async def known(self, trace_id: str) -> bool:
        """Whether there is this trace."""
        ...

    async def of_execution(self, execution_id: str) -> str | None:
        """The id of the trace that an execution is part of."""
        ...

    async def find(self, where: TraceFilter, limit: int | None, offset: int) -> Sequence[Trace]:
        """A page of those that match, with their parts, by start and id."""
        ...

    async def count(self, where: TraceFilter, cap: int) -> int:
        """How many match, at most `cap`."""
        ...
