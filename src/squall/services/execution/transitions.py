"""The one place where the status of an execution changes in the store, with the event that tells it and the queue rows
of what must follow, all in one transaction."""

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
from squall.services.lanes import ADVANCE, CHANGED, JOURNAL, RUN, ChildChanged, Start, StatusRecord, StatusRequested

_ASKED = frozenset({ex.PAUSING, ex.RESUMING, ex.CANCELING})


def _concerns_parent(execution: Execution, before: str) -> bool:
    """Whether the workflow or chain an execution belongs to must hear of its status."""
    if not {"orquesta", "chain"} & execution.context.keys():
        return False
    told = ex.FINAL | _ASKED | {ex.PENDING, ex.PAUSED}
    return execution.status in told or (execution.status == ex.RUNNING and before in (ex.RESUMING, ex.PENDING))


class Follower(Protocol):
    """Does what must follow a change of status, in its transaction."""

    async def moved(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
        """An execution has got the status it has."""
        ...


class Gate(Follower, Protocol):
    """Decides who may run, and hears of every change, so that it knows who no longer does."""

    async def admit(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> bool:
        """Whether an execution may be run now; if not, it has been told to wait, or canceled."""
        ...


class Transitions:
    """Changes of status, whoever makes them: workers, workflows, inquiries, people.

    The methods with a `tx` work inside of their caller's transaction, which may do more; `hint` and `wake` are for
    behind it. `join` puts a new execution into its trace, `gate` holds some back, `followers` hear of every change,
    `secrets` seals what is secret in a result.
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

    async def enter(self, tx: Tx, execution: Execution, now: int) -> None:
        """Adds a new execution: its row, its event, its place in a trace, and the queue row from which it will be run.

        Raises `InvalidError` when its context names a trace that is not there.
        """
        await tx.executions.insert(execution)
        await tx.events.add(change_of(execution, events.EXECUTION_CREATE, now))
        if self._join is not None:
            await self._join(tx, execution)
        if execution.delay:
            # Clients end their wait at `delayed`, so the answer still shows `requested`, as StackStorm's does.
            await self.move(tx, execution, ex.DELAYED, now)
        await self.queue(tx, execution, now + (execution.delay or 0) * 1000)

    async def admit(self, tx: Tx, execution: Execution, now: int) -> bool:
        """Whether an execution that is due may be run. If not, its queue row is done with: it has been canceled, or it
        will be queued again when it may."""
        return self._gate is None or await self._gate.admit(tx, execution, self, now)

    async def queue(self, tx: Tx, execution: Execution, available: int) -> None:
        """Queues an execution to be run from `available` (µs) on."""
        # A workflow takes no worker's slot: children could never run where parents hold them all.
        lane, payload = (ADVANCE, Start()) if execution.runner in WORKFLOW_RUNNERS else (RUN, None)
        await tx.queue.put(lane, execution.id, payload, available)
        self._queued.add((lane, execution.id))

    async def move(
        self, tx: Tx, execution: Execution, status: str, now: int, *, asks: bool = True
    ) -> tuple[Execution, int]:
        """Gives an execution its next status: its row with all that has changed in `execution`, the event, and for what
        comes after `running` a row in lane `journal`. Gives the execution and the event's row.

        The workflow it belongs to gets a row in lane `advance`, and so does a workflow that was asked for something;
        without `asks`, the workflow itself has come to that status, and its children are not asked for the same.

        Raises `ConflictError` when it may not become that.
        """
        before = execution.status
        execution = transition(execution, status, now)
        await tx.executions.update(execution)
        row = await tx.events.add(change_of(execution, events.EXECUTION_UPDATE, execution.log[-1].at))
        if status in ex.STARTED and status != ex.RUNNING:
            record = StatusRecord(execution.tree, status, row, execution.log[-1].at, execution.parent is not None)
            await tx.queue.put(JOURNAL, execution.id, record, now)
        if execution.parent is not None and _concerns_parent(execution, before):
            await tx.queue.put(ADVANCE, execution.parent, ChildChanged(execution.id, status), now)
        if asks and status in _ASKED and execution.runner in WORKFLOW_RUNNERS:
            await tx.queue.put(ADVANCE, execution.id, StatusRequested(status), now)
        for follower in self._followers:
            await follower.moved(tx, execution, self, now)
        return execution, row

    async def stop(self, tx: Tx, execution: Execution, who: str, now: int) -> Execution:
        """Cancels one that can be: at once if nothing of it runs, else it is asked to stop (`canceling`), and whoever
        runs it ends it with `conclude`. Raises `ConflictError`, in StackStorm's words, when it cannot be canceled."""
        if execution.status not in ex.CANCELABLE:
            raise ConflictError(f"Action cannot be canceled. State = {execution.status}.")
        waiting = execution.status in (ex.REQUESTED, ex.DELAYED, ex.PENDING)
        execution = msgspec.structs.replace(execution, context={**_without_completion(execution), "cancelled_by": who})
        result = cancel_result(execution)
        execution = with_result(execution, result, encoded_size(result))
        if waiting:
            await tx.queue.discard(RUN, execution.id)
        execution, _ = await self.move(tx, execution, ex.CANCELED if waiting else ex.CANCELING, now)
        return execution

    async def conclude(self, tx: Tx, execution: Execution, status: str, result: Any, now: int) -> Execution:
        """Ends an execution with its result. One that was asked to stop ends `canceled`, whatever it did instead; one
        that a client has completed ends as the client said, if it has been read with its result."""
        if ex.COMPLETED_AS in execution.context:
            status, result = execution.context[ex.COMPLETED_AS], execution.result
            execution = msgspec.structs.replace(execution, context=_without_completion(execution))
        if execution.status == ex.CANCELING:
            status, result = ex.CANCELED, cancel_result(execution)
        sealed = await self._secrets.sealed(tx, execution, result) if self._secrets is not None else result
        execution = with_result(execution, sealed, encoded_size(result))
        return (await self.move(tx, execution, status, now))[0]

    def hint(self, execution: Execution) -> None:
        """Tells whoever waits that an execution has changed."""
        self._bus.publish(CHANGED, execution.tree)
        self._bus.publish(JOURNAL, execution.tree)
        self._bus.publish(ADVANCE, execution.parent or execution.id)
        self.wake()

    def wake(self) -> None:
        """Tells those who run executions of what has been queued."""
        while self._queued:
            self._bus.publish(*self._queued.pop())


def _without_completion(execution: Execution) -> dict[str, Any]:
    return {name: value for name, value in execution.context.items() if name != ex.COMPLETED_AS}


def cancel_result(execution: Execution) -> dict[str, Any]:
    """The result of an execution that was canceled, as StackStorm words it."""
    return {"message": "Action canceled by user.", "user": execution.context.get("cancelled_by", execution.user)}
