"""Keeps trigger types: those of packs, and those that clients create."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.rules.changes import CREATE, DELETE, UPDATE, change_document, change_of
from squall.core.event.rules.reading import make_trigger_type
from squall.core.event.rules.records import RuleFilter, TriggerType
from squall.ports import Clock, LoadedPack, Store, Tx
from squall.services.event.triggers.triggers import Triggers


class TriggerTypes:
    """The use cases of trigger types. A type without required parameters has a trigger of its own name."""

    def __init__(self, store: Store, clock: Clock, triggers: Triggers) -> None:
        self._store = store
        self._clock = clock
        self._triggers = triggers

    async def get(self, ref_or_id: str) -> TriggerType:
        """Returns one trigger type. Raises `NotFoundError`."""
        trigger_type = await self._store.read(lambda tx: tx.trigger_types.get(ref_or_id))
        if trigger_type is None:
            raise _missing(ref_or_id)
        return trigger_type

    async def find(self, pack: str | None = None) -> list[TriggerType]:
        """Returns the trigger types of all packs or of one, by ref."""
        return list(await self._store.read(lambda tx: tx.trigger_types.find(pack)))

    async def create(self, body: Any) -> TriggerType:
        """Adds a trigger type. Raises `InvalidError`, and `ConflictError` if its name is taken."""
        trigger_type = make_trigger_type(body, self._clock.new_id())

        async def work(tx: Tx) -> None:
            other = await tx.trigger_types.get(trigger_type.ref)
            if other is not None:
                message = f'There is a trigger type "{trigger_type.ref}" already; its id is {other.id}.'
                raise ConflictError(message, other.id)
            await self._put(tx, trigger_type, None)

        await self._store.tx(work)
        self._triggers.changed()
        return trigger_type

    async def update(self, ref_or_id: str, body: Any) -> TriggerType:
        """Replaces a trigger type; it keeps its id, and its name cannot change. Raises `InvalidError`,
        `NotFoundError`."""

        async def work(tx: Tx) -> TriggerType:
            old = await tx.trigger_types.get(ref_or_id)
            if old is None:
                raise _missing(ref_or_id)
            trigger_type = make_trigger_type(body, old.id)
            if trigger_type.ref != old.ref:
                raise InvalidError(f'name: the trigger type is "{old.ref}". Create another one for a new name.')
            await self._put(tx, trigger_type, old)
            return trigger_type

        trigger_type = await self._store.tx(work)
        self._triggers.changed()
        return trigger_type

    async def delete(self, ref_or_id: str) -> None:
        """Removes a trigger type. Raises `NotFoundError`, and `InvalidError` if rules use it."""

        async def work(tx: Tx) -> None:
            trigger_type = await tx.trigger_types.get(ref_or_id)
            if trigger_type is None:
                raise _missing(ref_or_id)
            rules = await tx.rules.find(RuleFilter(type=trigger_type.ref), 1)
            if rules:
                raise InvalidError(f'The rule "{rules[0].ref}" uses this trigger type. Delete the rule first.')
            await self.remove(tx, trigger_type)

        await self._store.tx(work)
        self._triggers.changed()

    async def put(self, tx: Tx, trigger_type: TriggerType) -> None:
        """Adds a trigger type, or replaces the one with its ref, if it has changed."""
        old = await tx.trigger_types.get(trigger_type.ref)
        new = msgspec.structs.replace(trigger_type, id=old.id if old is not None else self._clock.new_id())
        if new != old:
            await self._put(tx, new, old)

    async def remove(self, tx: Tx, trigger_type: TriggerType) -> None:
        """Removes a trigger type and its triggers in the transaction `tx`."""
        now = self._clock.now()
        await tx.trigger_types.delete(trigger_type.id)
        await self._triggers.remove_all(tx, trigger_type.ref, now)
        await tx.events.add(change_of(trigger_type, DELETE, now), change_document(trigger_type))

    async def _put(self, tx: Tx, trigger_type: TriggerType, old: TriggerType | None) -> None:
        now = self._clock.now()
        await tx.trigger_types.put(trigger_type)
        what = CREATE if old is None else UPDATE
        await tx.events.add(change_of(trigger_type, what, now), change_document(trigger_type))
        if not trigger_type.parameters_schema:
            await self._triggers.obtain(tx, trigger_type.ref, {}, now)


class TriggerTypeRegistrar:
    """The `Registrar` of the trigger types in packs. It never changes types that clients created."""

    def __init__(self, types: TriggerTypes, triggers: Triggers) -> None:
        self._types = types
        self._triggers = triggers

    async def replace(self, tx: Tx, loaded: LoadedPack) -> Sequence[str]:
        """Registers the trigger types of a pack, and removes those that the pack no longer has and no rule uses."""
        for trigger_type in loaded.trigger_types:
            await self._types.put(tx, trigger_type)
        refs = {trigger_type.ref for trigger_type in loaded.trigger_types}
        for old in await tx.trigger_types.find(loaded.pack.ref):
            if old.metadata_file and old.ref not in refs:
                await self._drop(tx, old)
        return ()

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Removes the trigger types of packs that are not in `refs`."""
        for old in await tx.trigger_types.find():
            if old.metadata_file and old.pack not in refs:
                await self._drop(tx, old)

    def changed(self) -> None:
        """Forgets what is cached."""
        self._triggers.changed()

    async def _drop(self, tx: Tx, trigger_type: TriggerType) -> None:
        # A rule of another pack may wait for events of this type; an update of the pack may bring the type back.
        if not await tx.rules.count(RuleFilter(type=trigger_type.ref)):
            await self._types.remove(tx, trigger_type)


def _missing(ref_or_id: str) -> NotFoundError:
    return NotFoundError(f'Resource with a reference or id "{ref_or_id}" not found')
