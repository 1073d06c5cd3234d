"""Keeps triggers: rules with the same trigger type and parameters share one, which goes with its last rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.rules.changes import CREATE, DELETE, UPDATE, change_document, change_of
from squall.core.event.rules.reading import check_parameters
from squall.core.event.rules.records import RuleFilter, Trigger, TriggerType, make_trigger, parameters_digest
from squall.core.event.webhooks.urls import GENERIC, hook_url
from squall.ports import Clock, Store, Tx

WEBHOOK = "core.st2.webhook"
"""The type of the triggers of webhooks."""


class TriggerObserver(Protocol):
    """What must know of the triggers of some types, such as timers. It works in the transaction of the change."""

    async def check(self, trigger_type: str, parameters: Mapping[str, Any]) -> None:
        """Raises `InvalidError` if a trigger of the type cannot have these parameters, though its schema allows
        them."""
        ...

    async def added(self, tx: Tx, trigger: Trigger, now: int) -> None:
        """Handles a new trigger."""
        ...

    async def removed(self, tx: Tx, trigger: Trigger, now: int) -> None:
        """Handles the removal of a trigger."""
        ...


class Triggers:
    """The use cases of triggers. `observers` follow all changes. Methods with a `tx` work inside that transaction; call
    `changed` after it."""

    def __init__(self, store: Store, clock: Clock, observers: Sequence[TriggerObserver] = ()) -> None:
        self._store = store
        self._clock = clock
        self._observers = observers
        self._hooks: dict[str, Trigger] = {}

    async def get(self, ref_or_id: str) -> Trigger:
        """Returns one trigger. Raises `NotFoundError`."""
        trigger = await self._store.read(lambda tx: tx.triggers.get(ref_or_id))
        if trigger is None:
            raise NotFoundError(f"Unable to find the TriggerDB instance. {{'id': '{ref_or_id}'}}")
        return trigger

    async def find(self, type_ref: str | None = None) -> list[Trigger]:
        """Returns the triggers of all types or of one, by ref."""
        return list(await self._store.read(lambda tx: tx.triggers.find(type_ref)))

    async def hook(self, url: str) -> Trigger | None:
        """Returns the trigger of the webhook with this URL; None if there is none."""
        if (known := self._hooks.get(url)) is not None:
            return known
        digest = trigger_digest(WEBHOOK, {"url": url})
        hooks = self._hooks
        trigger = await self._store.read(lambda tx: tx.triggers.with_parameters(WEBHOOK, digest))
        if trigger is not None:
            # After a change meanwhile, this is not the cache in use.
            hooks[url] = trigger
        return trigger

    def changed(self) -> None:
        """Forgets what is cached. Call it after a transaction that changed triggers."""
        self._hooks = {}

    async def check(self, trigger_type: TriggerType, parameters: Mapping[str, Any]) -> None:
        """Raises `InvalidError` if the parameters do not fit the type."""
        check_parameters(trigger_type, parameters)
        if trigger_type.ref == WEBHOOK and hook_url(parameters.get("url")) == GENERIC:
            raise InvalidError(f'url: "{GENERIC}" is the generic webhook, which no rule can have. Use another one.')
        for observer in self._observers:
            await observer.check(trigger_type.ref, parameters)

    async def obtain(self, tx: Tx, type_ref: str, parameters: Mapping[str, Any], now: int) -> Trigger:
        """Returns the trigger of a type with these checked parameters; creates it if there is none."""
        digest = trigger_digest(type_ref, parameters)
        trigger = await tx.triggers.with_parameters(type_ref, digest)
        if trigger is None:
            new_id = self._clock.new_id()
            trigger = make_trigger(type_ref, parameters, new_id, _unique(new_id, self._clock.new_id()))
            await self._add(tx, trigger, now)
        return trigger

    async def put(self, body: Mapping[str, Any], trigger_id: str | None = None) -> Trigger:
        """Creates the trigger that the body of a request describes, or replaces the one with this id. As in StackStorm,
        an existing trigger with the same name is returned. Raises `InvalidError` and `NotFoundError`."""
        type_ref, parameters, name = _read(body)
        now = self._clock.now()

        async def work(tx: Tx) -> Trigger:
            trigger_type = await tx.trigger_types.get(type_ref)
            if trigger_type is None:
                raise InvalidError(f'type: there is no trigger type "{type_ref}".')
            await self.check(trigger_type, parameters)
            old = await tx.triggers.get(trigger_id) if trigger_id is not None else None
            if trigger_id is not None and old is None:
                raise NotFoundError(f"Unable to find the TriggerDB instance. {{'id': '{trigger_id}'}}")
            new_id = old.id if old is not None else self._clock.new_id()
            unique = name or _unique(new_id, self._clock.new_id())
            trigger = make_trigger(type_ref, parameters, new_id, unique, body.get("description"))
            if name:
                pack = str(body.get("pack") or trigger.pack)
                uid = trigger.uid.replace(f":{trigger.pack}:{trigger.name}:", f":{pack}:{name}:")
                trigger = msgspec.structs.replace(trigger, pack=pack, name=name, ref=f"{pack}.{name}", uid=uid)
            same = await tx.triggers.get(trigger.ref)
            if same is not None and same.id != new_id:
                return same
            if old is not None:
                await self._remove(tx, old, now, tells=False)
            await self._add(tx, trigger, now, UPDATE if old is not None else CREATE)
            return trigger

        trigger = await self._store.tx(work)
        self.changed()
        return trigger

    async def delete(self, ref_or_id: str) -> None:
        """Removes a trigger. Raises `NotFoundError`, and `InvalidError` if rules use it."""

        async def work(tx: Tx) -> None:
            trigger = await tx.triggers.get(ref_or_id)
            if trigger is None:
                raise NotFoundError(f"Unable to find the TriggerDB instance. {{'id': '{ref_or_id}'}}")
            rules = await tx.rules.find(RuleFilter(trigger=trigger.ref), 1)
            if rules:
                raise InvalidError(f'The rule "{rules[0].ref}" uses this trigger. Delete the rule, or change it first.')
            await self._remove(tx, trigger, self._clock.now())

        await self._store.tx(work)
        self.changed()

    async def release(self, tx: Tx, trigger_ref: str, now: int) -> None:
        """Removes a trigger with parameters if no rule uses it any more."""
        trigger = await tx.triggers.get(trigger_ref)
        if trigger is None or not trigger.parameters or await tx.rules.count(RuleFilter(trigger=trigger_ref)):
            return
        await self._remove(tx, trigger, now)

    async def remove_all(self, tx: Tx, type_ref: str, now: int) -> None:
        """Removes all triggers of a type."""
        for trigger in await tx.triggers.find(type_ref):
            await self._remove(tx, trigger, now)

    async def _add(self, tx: Tx, trigger: Trigger, now: int, what: str = CREATE) -> None:
        await tx.triggers.put(trigger, trigger_digest(trigger.type, trigger.parameters))
        await tx.events.add(change_of(trigger, what, now), change_document(trigger))
        for observer in self._observers:
            await observer.added(tx, trigger, now)

    async def _remove(self, tx: Tx, trigger: Trigger, now: int, *, tells: bool = True) -> None:
        await tx.triggers.delete(trigger.id)
        for observer in self._observers:
            await observer.removed(tx, trigger, now)
        if tells:
            await tx.events.add(change_of(trigger, DELETE, now), change_document(trigger))


def trigger_digest(type_ref: str, parameters: Mapping[str, Any]) -> str:
    """Returns the digest by which triggers are shared. Webhooks share a URL whatever slashes are at its ends."""
    url = parameters.get("url")
    if type_ref == WEBHOOK and isinstance(url, str):
        parameters = {**parameters, "url": url.strip("/")}
    return parameters_digest(parameters)


def _unique(first: str, second: str) -> str:
    """Returns a name of a trigger, in the form of StackStorm's, from two ids."""
    digits = first + second
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _read(body: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    """Returns the type, the parameters and the name in the body of a request. Raises `InvalidError`."""
    type_ref, parameters, name = body.get("type"), body.get("parameters"), body.get("name")
    if not isinstance(type_ref, str) or not type_ref:
        raise InvalidError("'type' is a required property")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidError(f"parameters: {parameters!r:.60} is not of type 'object'")
    for key, value in (("name", name), ("pack", body.get("pack")), ("description", body.get("description"))):
        if value is not None and not isinstance(value, str):
            raise InvalidError(f"{key}: {value!r:.60} is not of type 'string'")
    return type_ref, dict(parameters or {}), name or ""
