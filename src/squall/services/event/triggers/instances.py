"""Reads trigger instances and enforcements, and dispatches stored events again."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.errors import ConflictError, NotFoundError
from squall.core.event.rules.changes import UPDATE, change_document, change_of
from squall.core.event.rules.records import (
    PENDING,
    PROCESSING_FAILED,
    Enforcement,
    EnforcementFilter,
    InstanceFilter,
    TriggerInstance,
)
from squall.ports import Clock, Store, Tx
from squall.services.event.triggers.dispatching import DEEPEST, Dispatching, Event
from squall.services.lanes import AT_ONCE, RULES, EvaluationRow

COUNT_CAP = 10_000


class Instances:
    """The use cases of trigger instances and enforcements."""

    def __init__(self, store: Store, clock: Clock, dispatching: Dispatching) -> None:
        self._store = store
        self._clock = clock
        self._dispatching = dispatching

    async def get(self, instance_id: str) -> TriggerInstance:
        """Returns one instance. Raises `NotFoundError`."""
        instance = await self._store.read(lambda tx: tx.instances.get(instance_id))
        if instance is None:
            raise NotFoundError(f'Unable to identify resource with id "{instance_id}".')
        return instance

    async def find(self, where: InstanceFilter, limit: int | None, offset: int) -> tuple[list[TriggerInstance], int]:
        """Returns a page of instances, and the number of matches (at most `COUNT_CAP`)."""

        async def work(tx: Tx) -> tuple[list[TriggerInstance], int]:
            return list(await tx.instances.find(where, limit, offset)), await tx.instances.count(where, COUNT_CAP)

        return await self._store.read(work)

    async def re_emit(self, instance_id: str, execution: str = "") -> tuple[TriggerInstance, dict[str, Any]]:
        """Dispatches the event of an instance once more, with the original's id in its payload. `execution` is the id
        of the execution that requests it. Returns the new instance and its payload. Raises `NotFoundError`."""
        original = await self.get(instance_id)
        payload = dict(original.payload) if isinstance(original.payload, dict) else {"payload": original.payload}
        payload["__context"] = {"original_id": original.id}
        event = Event(
            trigger=original.trigger,
            payload=payload,
            depth=original.depth,
            trace=original.trace,
            execution=execution,
            is_checked=True,
        )
        return await self._dispatching.dispatch(event), payload

    async def retry(self, instance_id: str, execution: str = "") -> TriggerInstance:
        """Evaluates an instance whose processing failed once more. Rules that fired for it do not fire again.
        `execution` is the id of the execution that requests it.

        Raises `NotFoundError`, and `ConflictError` if its processing has not failed, or if an execution requests it and
        too many rules led to the instance: only a person can end a loop.
        """

        async def work(tx: Tx) -> TriggerInstance:
            instance = await tx.instances.get(instance_id)
            if instance is None:
                raise NotFoundError(f'Unable to identify resource with id "{instance_id}".')
            if instance.status != PROCESSING_FAILED:
                raise ConflictError(
                    f'The trigger instance is "{instance.status}"; only one whose processing failed can be retried. '
                    "To dispatch its event once more, use re_emit."
                )
            if execution and instance.depth > DEEPEST:
                raise ConflictError(f"{instance.reason} Only a user can retry it, not an action.")
            pending = msgspec.structs.replace(instance, status=PENDING, reason="", evaluated_at=0)
            await tx.instances.settle(pending)
            await tx.queue.put(RULES, pending.id, EvaluationRow(pending.trigger), AT_ONCE)
            await tx.events.add(change_of(pending, UPDATE, self._clock.now()), change_document(pending))
            return pending

        instance = await self._store.tx(work)
        self._dispatching.hint()
        return instance

    async def enforcement(self, enforcement_id: str) -> Enforcement:
        """Returns one enforcement. Raises `NotFoundError`."""
        enforcement = await self._store.read(lambda tx: tx.enforcements.get(enforcement_id))
        if enforcement is None:
            raise NotFoundError(f'Unable to identify resource with id "{enforcement_id}".')
        return enforcement

    async def explanation(self, enforcement_id: str) -> bytes:
        """Returns the explanation of an enforcement, JSON; empty if there is none."""
        return await self._store.read(lambda tx: tx.enforcements.explanation(enforcement_id))

    async def enforcements(
        self, where: EnforcementFilter, limit: int | None, offset: int
    ) -> tuple[list[Enforcement], int]:
        """Returns a page of enforcements, and the number of matches (at most `COUNT_CAP`)."""

        async def work(tx: Tx) -> tuple[list[Enforcement], int]:
            return list(await tx.enforcements.find(where, limit, offset)), await tx.enforcements.count(where, COUNT_CAP)

        return await self._store.read(work)
