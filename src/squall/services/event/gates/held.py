"""Held matches: lists them, runs them, discards them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from squall.core.errors import NotFoundError
from squall.core.event.gates.records import MOST_HELD, HeldMatch
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.records import Enforcement, EnforcementFilter, KeptBack, Rule, TriggerInstance
from squall.ports import Clock, Store, Tx
from squall.services.event.rules.deciding import Deciding, Match
from squall.services.event.rules.enforcing import Enforcing
from squall.services.event.rules.rules import missing
from squall.services.event.triggers.dispatching import DEEPEST, depth_of, too_deep_reason

_BATCH = 20
_DISCARDED = "held, then discarded"
_MOST_BYTES = 16 << 20


class _Ready(NamedTuple):
    held: HeldMatch
    instance: TriggerInstance
    match: Match


class Held:
    """The use cases of held matches."""

    def __init__(self, store: Store, clock: Clock, deciding: Deciding, enforcing: Enforcing) -> None:
        self._store = store
        self._clock = clock
        self._deciding = deciding
        self._enforcing = enforcing

    async def find(self, rule_ref: str, limit: int | None, offset: int) -> tuple[list[HeldMatch], int]:
        """Returns a page of the held matches of a rule, the oldest first, and the number of all. Raises
        `NotFoundError`."""

        async def work(tx: Tx) -> tuple[list[HeldMatch], int]:
            rule = await _rule(tx, rule_ref)
            page = await tx.gates.held(rule.id, None, MOST_HELD if limit is None else limit, offset)
            return list(page), await tx.gates.held_count(rule.id)

        return await self._store.read(work)

    async def discard(self, rule_ref: str, ids: Sequence[str] | None) -> list[HeldMatch]:
        """Removes held matches of a rule: all, or those with these ids. Returns them. Raises `NotFoundError`."""

        async def work(tx: Tx) -> list[HeldMatch]:
            rule = await _rule(tx, rule_ref)
            chosen = await _chosen(tx, rule, ids)
            now = self._clock.now()
            for held in chosen:
                await tx.gates.take(held.id)
                kept = KeptBack(rule=rule.id, rule_ref=rule.ref, instance=held.instance, at=now, reason=_DISCARDED)
                await tx.kept_back.put(kept)
            return chosen

        return await self._store.tx(work)

    async def run(self, rule_ref: str, ids: Sequence[str] | None, execution: str = "") -> list[Enforcement]:
        """Enforces held matches of a rule, each once: all, or those with these ids. Returns the enforcements.
        `execution` is the id of the execution that requests it; it counts for the depth of what the rule starts.

        Each match is taken and enforced in one transaction. Matches that another request took are left out. Raises
        `NotFoundError`.
        """

        async def chosen(tx: Tx) -> tuple[Rule, list[HeldMatch]]:
            rule = await _rule(tx, rule_ref)
            return rule, await _chosen(tx, rule, ids)

        rule, waiting = await self._store.read(chosen)
        enforcements: list[Enforcement] = []
        for at in range(0, len(waiting), _BATCH):
            ready = [await self._ready(rule, held) for held in waiting[at : at + _BATCH]]
            trees: list[str] = []
            enforcements += await self._store.tx(
                partial(self._enforce, rule=rule, ready=ready, execution=execution, trees=trees)
            )
            self._enforcing.announce(trees)
        return enforcements

    async def _ready(self, rule: Rule, held: HeldMatch) -> _Ready:
        """Renders the parameters of a held match with the rule as it is now."""

        async def load(tx: Tx) -> tuple[TriggerInstance | None, dict[str, Any]]:
            events = await tx.instances.load(list(dict.fromkeys(held.events)), _MOST_BYTES)
            return await tx.instances.get(held.instance), {each.id: each.payload for each in events}

        instance, payloads = await self._store.read(load)
        reason = ""
        if instance is None:
            reason = f"the trigger instance {held.instance} is not stored any more"
            instance = TriggerInstance(trigger=rule.trigger.ref, occurred_at=held.held_at, id=held.instance, payload={})
        elif len(payloads) < len(set(held.events)):
            reason = "the events are not all stored any more, or they are too large together"
        if reason:
            explanation = Explanation(rule_id=rule.id, rule_ref=rule.ref, matches=True)
            return _Ready(held, instance, Match(rule, explanation, None, reason))
        return _Ready(
            held, instance, await self._deciding.later(rule, instance, [payloads[each] for each in held.events])
        )

    async def _enforce(
        self, tx: Tx, rule: Rule, ready: Sequence[_Ready], execution: str, trees: list[str]
    ) -> list[Enforcement]:
        trees.clear()
        now = self._clock.now()
        depth = await depth_of(tx, execution)
        enforcements: list[Enforcement] = []
        for held, loaded, match in ready:
            if not await tx.gates.take(held.id) or await tx.enforcements.known(rule.id, loaded.id):
                continue
            # Another rule may have given the event its trace meanwhile.
            instance = await tx.instances.get(loaded.id) or loaded
            instance = msgspec.structs.replace(instance, depth=max(instance.depth, depth))
            if instance.depth > DEEPEST:
                match = match._replace(prepared=None, failure=too_deep_reason("this run"))
            traced = await self._enforcing.enforce(tx, match, instance, now, None, trees)
            if traced.trace != instance.trace:
                await tx.instances.settle(traced)
            where = EnforcementFilter(rule_id=rule.id, instances=(instance.id,))
            enforcements += await tx.enforcements.find(where, 1, 0)
        return enforcements


async def _rule(tx: Tx, ref_or_id: str) -> Rule:
    rule = await tx.rules.get(ref_or_id)
    if rule is None:
        raise missing(ref_or_id)
    return rule


async def _chosen(tx: Tx, rule: Rule, ids: Sequence[str] | None) -> list[HeldMatch]:
    chosen = list(await tx.gates.held(rule.id, ids, MOST_HELD))
    absent = sorted(set(ids or ()) - {held.id for held in chosen})
    if absent:
        raise NotFoundError(
            f'The rule "{rule.ref}" holds no match {", ".join(absent[:5])}. List them: squall rule held {rule.ref}'
        )
    return chosen
