"""Policies of concurrency: who of an action's executions may run, and who waits in line.

An execution holds a place under each policy of its action, or none: whoever cannot have them all waits, without a queue
row and without being asked. It is let in by the very transaction in which another gives its places back, so that
between transactions nobody waits who might run. That keeps every line first come, first served.

Nobody waits for ever: a child waits for executions only that are no workflows, and these end by themselves. A
workflow therefore may hold up another root, but never a descendant of its own or of another workflow.
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
_GIVES_BACK = ex.FINAL | {ex.PAUSED, ex.PENDING}
"""Statuses in which an execution holds no place: what stands still for people would hold up everything else."""


class Admission:
    """Gives places and takes them back. `reveal` opens sealed values."""

    def __init__(self, reveal: Callable[[str], Any]) -> None:
        self._reveal = reveal

    async def admit(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> bool:
        """Whether an execution that is to be run may be; else it has been put in line (`delayed`) or canceled."""
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
        """Takes back the places of an execution that has just got a status in which it holds none."""
        if execution.status not in _GIVES_BACK:
            return
        for slot in await tx.slots.leave(execution.id):
            if slot.holding:
                policy = await tx.policies.get(slot.policy)
                if policy is not None:
                    await self._let_in(tx, policy, slot.key, transitions, now)

    async def reconsider(self, tx: Tx, action: str, transitions: Transitions, now: int) -> None:
        """Gives the places of an action's executions anew, since its policies have changed."""
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
        """The places that an execution needs now."""
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
        found = await tx.content.snapshot(execution.snapshot)
        schemas = merged_parameters(*found) if found is not None else {}
        defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
        return defaults | replace_sealed(execution.parameters, self._reveal)  # type: ignore[no-any-return]

    async def _room(self, tx: Tx, policy: Policy, slot: Slot) -> bool:
        return await tx.slots.held(policy.ref, slot.key, slot.child) < policy.threshold

    async def _let_in(self, tx: Tx, policy: Policy, key: str, transitions: Transitions, now: int) -> None:
        """Lets in whoever waits longest and finds room, until there is none."""
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
                    # What was counted has changed.
                    break

    async def _fits(self, tx: Tx, execution_id: str, blocked: set[tuple[str, str, bool]]) -> bool:
        """Whether there is room for all places of one who waits; `blocked` remembers where there was none."""
        for slot in await tx.slots.of_execution(execution_id):
            where = (slot.policy, slot.key, slot.child)
            if where in blocked:
                return False
            policy = await tx.policies.get(slot.policy)
            if policy is not None and not await self._room(tx, policy, slot):
                blocked.add(where)
                return False
        return True


def _applies(policy: Policy) -> bool:
    return policy.enabled and policy.limits_concurrency


async def _wake(tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
    """Queues one that waited, and has its places now: before whatever was requested later."""
    if execution.status == ex.DELAYED:
        execution, _ = await transitions.move(tx, execution, ex.REQUESTED, now)
    await transitions.queue(tx, execution, execution.start)


async def _refuse(tx: Tx, execution: Execution, policy: Policy, transitions: Transitions, now: int) -> None:
    """Cancels an execution for which a policy has no place."""
    context = {**execution.context, "cancelled_by": policy.ref}
    told = f'Canceled by the policy "{policy.ref}": {policy.threshold} of these run already.'
    result = {"message": told, "user": execution.user}
    execution = msgspec.structs.replace(execution, context=context)
    execution = with_result(execution, result, encoded_size(result))
    execution, _ = await transitions.move(tx, execution, ex.CANCELING, now)
    await transitions.move(tx, execution, ex.CANCELED, now)


def changed_actions(before: Sequence[Policy], after: Sequence[Policy]) -> list[str]:
    """The actions whose executions must be reconsidered when these policies take the place of those."""
    old, new = set(map(_essence, before)), set(map(_essence, after))
    return sorted({action for action, *_ in old ^ new})


def _essence(policy: Policy) -> tuple[str, str, bytes]:
    parameters = msgspec.json.encode(policy.parameters, order="sorted")
    return policy.resource_ref, policy.ref, parameters if _applies(policy) else b""
