"""Explains why an execution waits: for its start time, a policy, its turn in the queue, a worker, or its keeper."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.timestamp import to_iso
from squall.ports import Clock, Slot, Store, Tx
from squall.services.lanes import ADVANCE, RUN

_MOST_HOLDERS = 5
_WAITING = (ex.REQUESTED, ex.DELAYED, ex.SCHEDULED)


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """The reason for which an execution waits: `delay`, `policy`, `queue`, `no_worker`, `keeper`, `environment` or
    `set_aside`; `text` explains it.

    `position` counts from 1; `until` is a time (ISO 8601); `holders` are some of the executions that it waits for.
    """

    reason: str
    text: str
    position: int | None = None
    until: str | None = None
    policy: str | None = None
    threshold: int | None = None
    holders: list[str] | None = None
    runner: str | None = None

    def document(self) -> dict[str, Any]:
        """Returns the API's field `waiting_for`. The API has the text in a separate field."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        del fields["text"]
        return fields


class Waiting:
    """The reasons for which executions wait.

    `at_keeper(id)` returns what a running execution's process waits for ("" for nothing), `held_up(id)` which failure
    of the machine the server's work for an execution waits for, and `set_aside(id)` why it is set aside. `room()`
    returns the free slots of the worker (None: it takes no work). `runners` are the names of the worker's runner types.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        at_keeper: Callable[[str], str],
        held_up: Callable[[str], str],
        set_aside: Callable[[str], str],
        room: Callable[[], int | None],
        runners: Collection[str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._at_keeper = at_keeper
        self._held_up = held_up
        self._set_aside = set_aside
        self._room = room
        self._runners = runners

    async def reason(self, execution: Execution) -> Wait | None:
        """Returns the reason for which an execution waits; None if it does not wait."""
        if execution.status not in ex.FINAL and (text := self._held_up(execution.id)):
            return Wait("environment", text)
        if execution.status not in ex.FINAL and (text := self._set_aside(execution.id)):
            return Wait("set_aside", text)
        if execution.status == ex.RUNNING:
            text = self._at_keeper(execution.id)
            return Wait("keeper", text) if text else None
        if execution.status not in _WAITING:
            return None
        return await self._store.read(lambda tx: self._find_reason(tx, execution))

    async def _find_reason(self, tx: Tx, execution: Execution) -> Wait | None:
        slots = [slot for slot in await tx.slots.of_execution(execution.id) if not slot.holding]
        if slots:
            return await _in_line(tx, slots)
        workflow = execution.runner in WORKFLOW_RUNNERS
        place = await tx.queue.place(ADVANCE if workflow else RUN, execution.id)
        if place is None:
            return None
        available, ahead = place
        if execution.status == ex.DELAYED and available > self._clock.now():
            until = to_iso(available)
            return Wait("delay", f"waits until {until}, the end of its delay", until=until)
        return (
            Wait("queue", f"place {ahead + 1} in the queue", ahead + 1)
            if workflow
            else self._in_queue(execution, ahead)
        )

    def _in_queue(self, execution: Execution, ahead: int) -> Wait | None:
        room = self._room()
        if room is None or execution.runner not in self._runners:
            why = "the server takes no work" if room is None else "the server has no such runner"
            return Wait("no_worker", f"no worker for {execution.runner}: {why}", ahead + 1, runner=execution.runner)
        busy = "; the worker has no room for more" if room == 0 else ""
        return Wait("queue", f"place {ahead + 1} in the queue{busy}", ahead + 1)


async def _in_line(tx: Tx, slots: list[Slot]) -> Wait:
    """Returns the reason for an execution that waits for slots: the first full policy, else the last one."""
    for slot in slots:
        policy = await tx.policies.get(slot.policy)
        held = await tx.slots.held(slot.policy, slot.key, slot.child)
        if (policy is not None and held >= policy.threshold) or slot is slots[-1]:
            break
    ahead = await tx.slots.ahead(slot)
    holders = list(await tx.slots.holders(slot.policy, slot.key, _MOST_HOLDERS))
    more = f" and {held - len(holders)} more" if held > len(holders) else ""
    text = f"place {ahead + 1} in the line of the policy {slot.policy}, held up by {', '.join(holders)}{more}"
    threshold = policy.threshold if policy is not None else None
    return Wait("policy", text, ahead + 1, policy=slot.policy, threshold=threshold, holders=holders)
