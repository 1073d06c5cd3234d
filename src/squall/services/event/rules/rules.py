"""Keeps rules: those of packs, and those that clients create. Each rule has a trigger of its type and parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.gates.settings import correlation_of, trigger_types
from squall.core.event.rules.changes import CREATE, DELETE, UPDATE, change_document, change_of
from squall.core.event.rules.parameters import has_templates
from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import Rule, RuleFilter, with_trigger
from squall.ports import Bus, Clock, LoadedPack, Store, Tx
from squall.services.event.rules.trigger_parameters import TriggerParameters
from squall.services.event.triggers.triggers import Triggers
from squall.services.event.triggers.wanted import Wanted
from squall.services.lanes import AT_ONCE, REBINDING, RULES


class RuleObserver(Protocol):
    """What must know of the changes of rules, such as the states that rules have. It works in the transaction of the
    change."""

    async def changed(self, tx: Tx, rule: Rule, now: int) -> None:
        """Handles a rule that is new or has changed."""
        ...

    async def removed(self, tx: Tx, rule: Rule, now: int) -> None:
        """Handles the removal of a rule."""
        ...


class Rules:
    """The use cases of rules. `forget` clears the caches of rules after a change. `user` is the user of the rules of
    packs. `observers` follow all changes."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        triggers: Triggers,
        parameters: TriggerParameters,
        wanted: Wanted,
        forget: Callable[[], None],
        user: str,
        observers: Sequence[RuleObserver] = (),
    ) -> None:
        self._observers = observers
        self._store = store
        self._bus = bus
        self._clock = clock
        self._triggers = triggers
        self._parameters = parameters
        self._wanted = wanted
        self._forget = forget
        self._user = user

    async def get(self, ref_or_id: str) -> Rule:
        """Returns one rule. Raises `NotFoundError`."""
        rule = await self._store.read(lambda tx: tx.rules.get(ref_or_id))
        if rule is None:
            raise missing(ref_or_id)
        return rule

    async def find(self, where: RuleFilter, limit: int | None, offset: int) -> tuple[list[Rule], int]:
        """Returns a page of rules by pack and name, and the number of matches."""

        async def work(tx: Tx) -> tuple[list[Rule], int]:
            return list(await tx.rules.find(where, limit, offset)), await tx.rules.count(where)

        return await self._store.read(work)

    async def create(self, body: Any, user: str) -> Rule:
        """Adds a rule of a user. Raises `InvalidError`, and `ConflictError` if its name is taken."""
        rule = msgspec.structs.replace(make_rule(body, self._clock.new_id()), context={"user": user}, metadata_file="")

        parameters = await self._parameters.rendered(rule)

        async def work(tx: Tx) -> Rule:
            await _check_free(tx, rule)
            return await self._put(tx, rule, None, parameters)

        return await self._changed(work)

    async def update(self, ref_or_id: str, body: Any) -> Rule:
        """Replaces a rule; it keeps its id. Raises `InvalidError`, `NotFoundError`, `ConflictError`."""
        old = await self.get(ref_or_id)
        rule = make_rule(body, old.id)
        rule = msgspec.structs.replace(
            rule,
            context=rule.context or old.context,
            metadata_file=old.metadata_file,
            enabled_in_file=old.enabled_in_file,
        )
        parameters = await self._parameters.rendered(rule)

        async def work(tx: Tx) -> Rule:
            current = await tx.rules.get(old.id)
            if current is None:
                raise missing(ref_or_id)
            await _check_free(tx, rule)
            return await self._put(tx, rule, current, parameters)

        return await self._changed(work)

    async def delete(self, ref_or_id: str) -> None:
        """Removes a rule, and its trigger if no other rule has it. Raises `NotFoundError`."""

        async def work(tx: Tx) -> Rule:
            rule = await tx.rules.get(ref_or_id)
            if rule is None:
                raise missing(ref_or_id)
            await self.remove(tx, rule)
            return rule

        await self._changed(work)

    async def remove(self, tx: Tx, rule: Rule) -> None:
        """Removes a rule in the transaction `tx`."""
        now = self._clock.now()
        await tx.rules.delete(rule, now)
        for ref in {rule.trigger.ref, *rule.events}:
            await self._triggers.release(tx, ref, now)
        for observer in self._observers:
            await observer.removed(tx, rule, now)
        await tx.events.add(change_of(rule, DELETE, now), change_document(rule))

    async def put(self, tx: Tx, rule: Rule) -> Rule:
        """Adds the rule of a pack, or replaces the one with its ref if it has changed. A rule that was enabled or
        disabled by hand stays so. Raises `InvalidError`, and has changed nothing then."""
        old = await tx.rules.get(rule.ref)
        enabled = rule.enabled
        if old is not None and old.enabled_in_file is not None and old.enabled != old.enabled_in_file:
            enabled = old.enabled
        rule = msgspec.structs.replace(
            rule,
            id=old.id if old is not None else self._clock.new_id(),
            enabled=enabled,
            enabled_in_file=rule.enabled,
            context=old.context if old is not None else {"user": self._user},
        )
        same = with_trigger(rule, old.trigger.ref) if old is not None else None
        if old is not None and same is not None:
            same = msgspec.structs.replace(same, events=old.events, trigger_error=old.trigger_error)
        if old is not None and same == old:
            return old
        parameters = None if has_templates(rule) else rule.trigger.parameters
        return await self._put(tx, rule, old, parameters)

    def settled(self) -> None:
        """Clears caches and wakes waiting tasks. Call it after a transaction that changed rules."""
        self._forget()
        self._triggers.changed()
        self._wanted.clear()
        self._bus.publish(RULES, "")
        self._bus.publish(REBINDING, "")

    async def _changed(self, work: Callable[[Tx], Any]) -> Rule:
        try:
            changed: Rule = await self._store.tx(work)
        finally:
            # If the commit fails, a cache may lack a rule that still exists.
            self.settled()
        return changed

    async def _put(self, tx: Tx, rule: Rule, old: Rule | None, parameters: Mapping[str, Any] | None) -> Rule:
        """Writes a rule, with the trigger of these parameters. If they are None, they are still to be rendered: the
        rule keeps the trigger that it has, or waits for one."""
        now = self._clock.now()
        trigger_type = await tx.trigger_types.get(rule.trigger.type)
        if trigger_type is None:
            raise InvalidError(
                f'trigger.type: there is no trigger type "{rule.trigger.type}". List them: squall trigger list'
            )
        trigger_ref = old.trigger.ref if old is not None and old.trigger.type == rule.trigger.type else ""
        if parameters is not None:
            await self._triggers.check(trigger_type, parameters)
            trigger_ref = (await self._triggers.obtain(tx, trigger_type.ref, parameters, now)).ref
        rule = msgspec.structs.replace(with_trigger(rule, trigger_ref), events=await self._events(tx, rule, now))
        await tx.rules.put(rule, now)
        for ref in {old.trigger.ref, *old.events} - {trigger_ref, *rule.events} if old is not None else ():
            await self._triggers.release(tx, ref, now)
        if has_templates(rule):
            # A key may have changed since the parameters were rendered, and those of packs are not rendered yet.
            await tx.queue.put(REBINDING, REBINDING, None, AT_ONCE)
        if rule.enabled:
            for type_ref in trigger_types(rule):
                self._wanted.add(type_ref)
        for observer in self._observers:
            await observer.changed(tx, rule, now)
        await tx.events.add(change_of(rule, CREATE if old is None else UPDATE, now), change_document(rule))
        return rule

    async def _events(self, tx: Tx, rule: Rule, now: int) -> tuple[str, ...]:
        """Returns the refs of the triggers of the further events of a correlation. Creates those that are missing."""
        correlation = correlation_of(rule)
        refs: list[str] = []
        for at, entry in enumerate(correlation.entries if correlation is not None else (), 1):
            trigger_type = await tx.trigger_types.get(entry.trigger.type)
            try:
                if trigger_type is None:
                    raise InvalidError(
                        f'there is no trigger type "{entry.trigger.type}". List them: squall trigger list'
                    )
                await self._triggers.check(trigger_type, entry.trigger.parameters)
            except InvalidError as error:
                raise InvalidError(f"correlate, event {at}: {error}") from None
            refs.append((await self._triggers.obtain(tx, trigger_type.ref, entry.trigger.parameters, now)).ref)
        return tuple(refs)


def missing(ref_or_id: str) -> NotFoundError:
    """Returns the error for a rule that does not exist, in StackStorm's words."""
    return NotFoundError(f'Resource with a reference or id "{ref_or_id}" not found')


async def _check_free(tx: Tx, rule: Rule) -> None:
    other = await tx.rules.get(rule.ref)
    if other is not None and other.id != rule.id:
        raise ConflictError(f'There is a rule "{rule.ref}" already; its id is {other.id}.', other.id)


class RuleRegistrar:
    """The `Registrar` of the rules in packs. A rule that a user disabled stays disabled. A rule that a client created
    stays, unless the pack has one of the same name."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def replace(self, tx: Tx, loaded: LoadedPack) -> list[str]:
        """Registers the rules of a pack, and removes those that the pack no longer has. Returns the faults of rules
        that were left out, such as one whose trigger type does not exist."""
        refs = {rule.ref for rule in loaded.rules}
        faults = []
        for rule in loaded.rules:
            try:
                await self._rules.put(tx, rule)
            except InvalidError as error:
                faults.append(f"{rule.metadata_file}: {error}")
        for old in await tx.rules.find(RuleFilter(pack=loaded.pack.ref)):
            if old.metadata_file and old.ref not in refs:
                await self._rules.remove(tx, old)
        return faults

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Removes the rules of packs that are not in `refs`."""
        for rule in await tx.rules.find(RuleFilter()):
            if rule.metadata_file and rule.pack not in refs:
                await self._rules.remove(tx, rule)

    def changed(self) -> None:
        """Clears the caches of rules."""
        self._rules.settled()
