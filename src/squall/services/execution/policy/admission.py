"""Applies concurrency policies: decides which executions of an action may run and which wait in line.

An execution holds a slot of every policy of its action, or of none. If it cannot have all slots, it waits without a
queue row, and no worker polls it. The transaction in which another execution releases its slots admits it. So between
transactions no execution waits that could run, and every line is first come, first served.

No execution waits for ever: a child waits only for executions that are not workflows, and these end by themselves. A
workflow may therefore delay another root execution, but never a descendant of itself or of another workflow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from squall.core.access.secret import replace_sealed
from squall.core.content.action import WORKFLOW_RUNNERS, merged_parameters
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter, encoded_size, with_result
from squall.core.execution.policy import Policy, delays, slot_key
from squall.ports import Slot, Tx
from squall.services.execution.transitions import Transitions

_PAGE = 64
_HOLDING = (ex.SCHEDULED, ex.RUNNING, ex.PAUSING, ex.RESUMING, ex.CANCELING)
_RELEASING = ex.FINAL | {ex.PAUSED, ex.PENDING}
"""Statuses in which an execution holds no slot. Executions that wait for people would block all others."""


class Admission:
    """Assigns slots to executions and releases them. `reveal` opens sealed values."""

    def __init__(self, reveal: Callable[[str], Any]) -> None:
        self._reveal = reveal

    async def admit(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> bool:
        """Applies the policies of the action. Returns True if the execution may start; otherwise the execution is now
        `delayed` or canceled."""
        slots = await self._slots(tx, execution)
        if not slots or any(slot.holding for slot in await tx.slots.of_execution(execution.id)):
            return True
        full = [policy for policy, slot in slots if not await self._room(tx, policy, slot)]
        refusing = next((policy for policy in full if not delays(policy)), None)
        if refusing is not None:
            await _refuse(tx, execution, refusing, transitions, now)
            return False
        await tx.slots.leave(execution.id)
        for _, slot in slots:
            await tx.slots.add(msgspec.structs.replace(slot, holding=not full))
        if full and execution.status != ex.DELAYED:
            await transitions.move(tx, execution, ex.DELAYED, now)
        return not full

    async def moved(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
        """Releases the slots of an execution if its new status holds none, and admits waiting executions."""
        if execution.status not in _RELEASING:
            return
        for slot in await tx.slots.leave(execution.id):
            if slot.holding:
                policy = await tx.policies.get(slot.policy)
                if policy is not None:
                    await self._let_in(tx, policy, slot.key, transitions, now)

    async def reconsider(self, tx: Tx, action: str, transitions: Transitions, now: int) -> None:
        """Assigns the slots of an action's executions again after its policies have changed."""
        for status in _HOLDING:
            for execution in await tx.executions.find(ExecutionFilter(action=action, status=status), None, 0, False):
                await tx.slots.leave(execution.id)
                for _, slot in await self._slots(tx, execution):
                    await tx.slots.add(msgspec.structs.replace(slot, holding=True))
        for execution_id in await tx.slots.waiting(action):
            waiting = await tx.executions.get(execution_id, False)
            await tx.slots.leave(execution_id)
            if waiting is not None and await self.admit(tx, waiting, transitions, now):
                await _wake(tx, waiting, transitions, now)

    async def _slots(self, tx: Tx, execution: Execution) -> list[tuple[Policy, Slot]]:
        """Returns the slots that an execution needs now, with their policies."""
        policies = [policy for policy in await tx.policies.find(execution.action) if _applies(policy)]
        if not policies:
            return []
        values = await self._values(tx, execution)
        child, workflow = execution.parent is not None, execution.runner in WORKFLOW_RUNNERS
        return [
            (policy, Slot(0, policy.ref, slot_key(policy, values), execution.id, False, child, workflow))
            for policy in policies
        ]

    async def _values(self, tx: Tx, execution: Execution) -> dict[str, Any]:
        snapshot = await tx.content.snapshot(execution.snapshot)
        schemas = merged_parameters(*snapshot) if snapshot is not None else {}
        defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
        return defaults | replace_sealed(execution.parameters, self._reveal)  # type: ignore[no-any-return]

    async def _room(self, tx: Tx, policy: Policy, slot: Slot) -> bool:
        return await tx.slots.held(policy.ref, slot.key, slot.child) < policy.threshold

    async def _let_in(self, tx: Tx, policy: Policy, key: str, transitions: Transitions, now: int) -> None:
        """Admits the longest waiting executions whose policies all have room, until there is no more room."""
        blocked: set[tuple[str, str, bool]] = set()
        after = 0
        while _applies(policy):
            for_children = await tx.slots.held(policy.ref, key, True) < policy.threshold
            if not for_children:
                return
            for_all = await tx.slots.held(policy.ref, key, False) < policy.threshold
            line = await tx.slots.line(policy.ref, key, not for_all, after, 1 if not blocked else _PAGE)
            if not line:
                return
            for slot in line:
                after = slot.number
                if await self._fits(tx, slot.execution, blocked):
                    await tx.slots.hold(slot.execution)
                    waiting = await tx.executions.get(slot.execution, False)
                    if waiting is not None:
                        await _wake(tx, waiting, transitions, now)
                    # The counts above are stale now: count again.
                    break

    async def _fits(self, tx: Tx, execution_id: str, blocked: set[tuple[str, str, bool]]) -> bool:
        """Checks whether all slots of a waiting execution have room. Adds a full policy and key to `blocked`."""
        for slot in await tx.slots.of_execution(execution_id):
            place = (slot.policy, slot.key, slot.child)
            if place in blocked:
                return False
            policy = await tx.policies.get(slot.policy)
            if policy is not None and not await self._room(tx, policy, slot):
                blocked.add(place)
                return False
        return True


def _applies(policy: Policy) -> bool:
    return policy.enabled and policy.limits_concurrency


async def _wake(tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
    """Queues an execution that waited and has its slots now. It runs before executions that were requested later."""
    if execution.status == ex.DELAYED:
        execution, _ = await transitions.move(tx, execution, ex.REQUESTED, now)
    await transitions.queue(tx, execution, execution.start)


async def _refuse(tx: Tx, execution: Execution, policy: Policy, transitions: Transitions, now: int) -> None:
    """Cancels an execution because a policy has no free slot."""
    context = {**execution.context, "cancelled_by": policy.ref}
    message = f'Canceled by the policy "{policy.ref}": {policy.threshold} of these run already.'
    result = {"message": message, "user": execution.user}
    execution = msgspec.structs.replace(execution, context=context)
    execution = with_result(execution, result, encoded_size(result))
    execution, _ = await transitions.move(tx, execution, ex.CANCELING, now)
    await transitions.move(tx, execution, ex.CANCELED, now)


def changed_actions(before: Sequence[Policy], after: Sequence[Policy]) -> list[str]:
    """Returns the actions whose executions need `reconsider` after the policies `before` became `after`."""
    old, new = set(map(_essence, before)), set(map(_essence, after))
    return sorted({action for action, *_ in old ^ new})


def _essence(policy: Policy) -> tuple[str, str, bytes]:
    parameters = msgspec.json.encode(policy.parameters, order="sorted")
    return policy.resource_ref, policy.ref, parameters if _applies(policy) else b""
