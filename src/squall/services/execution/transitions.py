"""Changes the status of executions in the store. Nothing else does.

One transaction writes the status, its event, and the queue rows of the work that must follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.errors import ConflictError
from squall.core.event import events
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, change_of, encoded_size, transition, with_result
from squall.ports import Bus, Tx
from squall.services.content.secret_results import SecretResults
from squall.services.execution.reservations import Claimed, Reservation
from squall.services.lanes import (
    ADVANCE,
    AT_ONCE,
    CHANGED,
    JOURNAL,
    RUN,
    ChildChanged,
    Start,
    StatusRecord,
    StatusRequested,
)

_REQUESTS = frozenset({ex.PAUSING, ex.RESUMING, ex.CANCELING})


def _concerns_parent(execution: Execution, before: str) -> bool:
    """Checks whether the parent workflow or chain needs to know the new status."""
    if not {"orquesta", "chain"} & execution.context.keys():
        return False
    relevant = ex.FINAL | _REQUESTS | {ex.PENDING, ex.PAUSED}
    return execution.status in relevant or (execution.status == ex.RUNNING and before in (ex.RESUMING, ex.PENDING))


class Follower(Protocol):
    """An observer of status changes. It works in the transaction of the change."""

    async def moved(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
        """Handles the new status of an execution."""
        ...


class Gate(Follower, Protocol):
    """A decision on which executions may run. It observes every change to know which executions no longer run."""

    async def admit(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> bool:
        """Returns True if the execution may run now; otherwise it is now delayed or canceled."""
        ...


class Transitions:
    """The changes of status by workers, workflows, inquiries and clients.

    Methods with a `tx` work inside their caller's transaction; call `hint` and `wake` after it. `join` adds a new
    execution to its trace, `gate` may delay or cancel executions, `followers` observe every change, `secrets` seals the
    secret parts of results.
    """

    def __init__(
        self,
        bus: Bus,
        join: Callable[[Tx, Execution], Awaitable[None]] | None = None,
        gate: Gate | None = None,
        followers: Sequence[Follower] = (),
        secrets: SecretResults | None = None,
    ) -> None:
        self._bus = bus
        self._join = join
        self._gate = gate
        self._followers = [*followers, gate] if gate is not None else followers
        self._secrets = secrets
        self._queued: set[tuple[str, str]] = set()

    async def enter(self, tx: Tx, execution: Execution, now: int, reservation: Reservation | None = None) -> None:
        """Adds a new execution: its row, its event, its part of a trace, and the queue row to run it. If `reservation`
        has room, the execution is claimed at once.

        Raises `InvalidError` if the trace in its context does not exist.
        """
        await tx.executions.insert(execution)
        await tx.events.add(change_of(execution, events.EXECUTION_CREATE, now))
        if self._join is not None:
            await self._join(tx, execution)
        if execution.delay:
            # Clients stop waiting at `delayed`. So the response has `requested`, like StackStorm's.
            await self.move(tx, execution, ex.DELAYED, now)
        elif reservation is not None and await self._fits(tx, execution, reservation, now):
            if (begun := await self.begin(tx, execution, reservation.claimer.info, now)) is not None:
                claimer = reservation.claimer
                task = await tx.queue.put_claimed(RUN, execution.id, None, claimer.owner, now, claimer.lease)
                reservation.claimed.append(Claimed(task, *begun))
            return
        await self.queue(tx, execution, now + (execution.delay or 0) * 1000)

    async def enter_failed(self, tx: Tx, execution: Execution, now: int) -> None:
        """Adds a new execution that has failed before it could run, with its result. Raises `InvalidError` as `enter`
        does."""
        await tx.executions.insert(execution)
        await tx.events.add(change_of(execution, events.EXECUTION_CREATE, now))
        if self._join is not None:
            await self._join(tx, execution)
        await self.move(tx, execution, ex.FAILED, now)

    async def begin(self, tx: Tx, execution: Execution, info: dict[str, Any], now: int) -> tuple[Execution, int] | None:
        """Begins to run an execution on the worker that `info` describes. Returns it with the row of its `running`
        event; None if a policy delays or cancels it, so that its queue row is obsolete."""
        if not await self.admit(tx, execution, now):
            return None
        execution, _ = await self.move(tx, execution, ex.SCHEDULED, now)
        return await self.move(tx, msgspec.structs.replace(execution, runner_info=info), ex.RUNNING, now)

    async def _fits(self, tx: Tx, execution: Execution, reservation: Reservation, now: int) -> bool:
        """Checks whether a new execution may be claimed at once: it takes a slot, one is free, and no queued execution
        that is due would be overtaken."""
        if not reservation.has_room or execution.runner in WORKFLOW_RUNNERS:
            return False
        due = await tx.queue.next_due(RUN)
        return due is None or due > now

    async def admit(self, tx: Tx, execution: Execution, now: int) -> bool:
        """Returns True if a due execution may run. If not, its queue row is obsolete: the execution is canceled, or the
        gate queues it again later."""
        return self._gate is None or await self._gate.admit(tx, execution, self, now)

    async def queue(self, tx: Tx, execution: Execution, available: int) -> None:
        """Queues an execution to run at `available` (µs since 1970) or later."""
        # A workflow takes no slot of a worker. Otherwise parents could hold all slots, and their children never run.
        lane, payload = (ADVANCE, Start()) if execution.runner in WORKFLOW_RUNNERS else (RUN, None)
        await tx.queue.put(lane, execution.id, payload, available)
        self._queued.add((lane, execution.id))

    async def move(
        self, tx: Tx, execution: Execution, status: str, now: int, *, asks: bool = True
    ) -> tuple[Execution, int]:
        """Changes the status of an execution: stores all fields of `execution`, adds the event, and for each status
        after `running` a row in lane `journal`. Returns the execution and the event's row.

        Adds a row in lane `advance` for its parent workflow, and for a workflow that gets a request. If `asks` is
        false, the workflow itself has reached the status, and its children get no such request.

        Raises `ConflictError` if the transition is not allowed.
        """
        before = execution.status
        execution = transition(execution, status, now)
        await tx.executions.update(execution)
        row = await tx.events.add(change_of(execution, events.EXECUTION_UPDATE, execution.log[-1].at))
        if status in ex.STARTED and status != ex.RUNNING:
            record = StatusRecord(execution.tree, status, row, execution.log[-1].at, execution.parent is not None)
            await tx.queue.put(JOURNAL, execution.id, record, AT_ONCE)
        if execution.parent is not None and _concerns_parent(execution, before):
            await tx.queue.put(ADVANCE, execution.parent, ChildChanged(execution.id, status), AT_ONCE)
        if asks and status in _REQUESTS and execution.runner in WORKFLOW_RUNNERS:
            await tx.queue.put(ADVANCE, execution.id, StatusRequested(status), AT_ONCE)
        for follower in self._followers:
            await follower.moved(tx, execution, self, now)
        return execution, row

    async def stop(self, tx: Tx, execution: Execution, user: str, now: int) -> Execution:
        """Cancels an execution: immediately if nothing of it runs; else it becomes `canceling`, and its worker or
        workflow calls `conclude`. Raises `ConflictError`, in StackStorm's words, if its status does not allow it."""
        if execution.status not in ex.CANCELABLE:
            raise ConflictError(f"Action cannot be canceled. State = {execution.status}.")
        waiting = execution.status in (ex.REQUESTED, ex.DELAYED, ex.PENDING)
        execution = msgspec.structs.replace(execution, context={**_without_completion(execution), "cancelled_by": user})
        result = cancel_result(execution)
        execution = with_result(execution, result, encoded_size(result))
        if waiting:
            await tx.queue.discard(RUN, execution.id)
        execution, _ = await self.move(tx, execution, ex.CANCELED if waiting else ex.CANCELING, now)
        return execution

    async def conclude(self, tx: Tx, execution: Execution, status: str, result: Any, now: int) -> Execution:
        """Ends an execution with its result. A `canceling` execution always ends `canceled`. If a client has completed
        the execution, it ends with the client's status and result; read it with its result for that."""
        if ex.COMPLETED_AS in execution.context:
            status, result = execution.context[ex.COMPLETED_AS], execution.result
            execution = msgspec.structs.replace(execution, context=_without_completion(execution))
        if execution.status == ex.CANCELING:
            status, result = ex.CANCELED, cancel_result(execution)
        sealed = await self._secrets.sealed(tx, execution, result) if self._secrets is not None else result
        execution = with_result(execution, sealed, encoded_size(result))
        return (await self.move(tx, execution, status, now))[0]

    def hint_later(self, topic: str, key: str) -> None:
        """Adds a hint that `wake` and `hint` publish: followers call it in the transaction."""
        self._queued.add((topic, key))

    def hint(self, execution: Execution) -> None:
        """Publishes hints that an execution has changed."""
        self._bus.publish(CHANGED, execution.tree)
        self._bus.publish(JOURNAL, execution.tree)
        self._bus.publish(ADVANCE, execution.parent or execution.id)
        self.wake()

    def wake(self) -> None:
        """Publishes hints about the queued executions to workers and workflows, and those of followers."""
        while self._queued:
            self._bus.publish(*self._queued.pop())


def _without_completion(execution: Execution) -> dict[str, Any]:
    return {name: value for name, value in execution.context.items() if name != ex.COMPLETED_AS}


def cancel_result(execution: Execution) -> dict[str, Any]:
    """Returns the result of a canceled execution, in StackStorm's words."""
    return {"message": "Action canceled by user.", "user": execution.context.get("cancelled_by", execution.user)}
