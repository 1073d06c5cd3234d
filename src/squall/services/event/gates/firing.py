"""Fires rules whose time has come: the last event of a throttle, a complete correlation, an event that did not come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from squall.core.environment import back_off, is_of_environment
from squall.core.event.gates.absence import Absence
from squall.core.event.gates.records import ABSENT, THROTTLE, Firing, GateState
from squall.core.event.gates.throttling import Waiting
from squall.core.event.rules.changes import CREATE, change_document, change_of
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.records import PENDING, PROCESSED, InstanceFilter, Rule, TriggerInstance
from squall.ports import Clock, Due, Store, Tx
from squall.services.event.gates.gating import ABSENCE, Gating
from squall.services.event.rules.deciding import Deciding, Match
from squall.services.event.rules.enforcing import FIRES, Enforcing
from squall.services.lanes import GATES
from squall.services.suspects import Suspects

_LOG = logging.getLogger("squall.rules")
MOST = 16
"""The most rows that one call of `advance` claims."""

_LEASE = 60_000_000
_MOST_ATTEMPTS = 3
_RETRY_DELAY = 500_000
_UNEVALUATED_DELAY = 200_000
_MOST_BYTES = 16 << 20


class _Plan(NamedTuple):
    """What a due row asks for. `due` is the time (µs) at which the rule fires now that its state is known; `since`
    that of the last event before an absence. `payloads` are those of a correlation; `missing` says what is not stored
    any more."""

    state: GateState
    rule: Rule
    instance: TriggerInstance
    events: Sequence[str]
    payloads: Sequence[Any]
    due: int
    missing: str


class RuleFiring:
    """Works off lane `gates`."""

    def __init__(
        self, store: Store, clock: Clock, suspects: Suspects, deciding: Deciding, enforcing: Enforcing, gating: Gating
    ) -> None:
        self._store = store
        self._clock = clock
        self._suspects = suspects
        self._deciding = deciding
        self._enforcing = enforcing
        self._gating = gating

    async def advance(self) -> int:
        """Claims at most `MOST` due rows, and fires their rules side by side. Returns the number of rows."""
        claim = partial(self._suspects.claim, lane=GATES, now=self._clock.now(), lease=_LEASE, limit=MOST)
        tasks = await self._store.tx(claim, durable=False)
        await asyncio.gather(*map(self._handle, tasks))
        return len(tasks)

    async def _handle(self, task: Due) -> None:
        try:
            await self._suspects.watched(GATES, task.key, self._fire(task))
        except Exception as error:
            await self._release(task, error)

    async def _release(self, task: Due, error: Exception) -> None:
        """Tries again later. After a few defects, gives up with a failed enforcement."""
        is_outside = is_of_environment(error)
        if not is_outside:
            _LOG.error("a rule could not fire", exc_info=error, extra={"state": task.key})
        try:
            if not is_outside and task.attempts >= _MOST_ATTEMPTS:
                await self._fire(task, f"{type(error).__name__}: {error}"[:1000])
                return
            await self._store.tx(lambda tx: tx.queue.release(task, self._clock.now() + _RETRY_DELAY))
        except Exception as failure:
            _LOG.warning("the row of a rule waits for the end of its lease", extra={"error": str(failure)})
            await asyncio.sleep(back_off(1))

    async def _fire(self, task: Due, failure: str = "") -> None:
        """Fires the rule of a row once. With a `failure`, writes that its match failed for this reason."""
        while True:
            plan = await self._store.read(partial(self._plan, key=task.key))
            if plan is None:
                await self._store.tx(lambda tx: tx.queue.done(task))
                return
            reason = failure or plan.missing
            if reason or plan.due > self._clock.now():
                explanation = Explanation(rule_id=plan.rule.id, rule_ref=plan.rule.ref, matches=True)
                match = Match(plan.rule, explanation, None, reason)
            else:
                match = await self._deciding.later(plan.rule, plan.instance, plan.payloads)
            trees: list[str] = []
            is_current = await self._store.tx(partial(self._write, task=task, plan=plan, match=match, trees=trees))
            if is_current:
                self._enforcing.announce(trees)
                return

    async def _plan(self, tx: Tx, key: str) -> _Plan | None:
        state = await tx.gates.state(key)
        rule = await tx.rules.get(state.rule) if state is not None else None
        if state is None or rule is None:
            return None
        events: Sequence[str] = ()
        due = 0
        if state.gate == ABSENT:
            absence = msgspec.json.decode(state.body, type=Absence)
            if absence.fired:
                return None
            instance_id, due = absence.instance, absence.due
        elif state.gate == THROTTLE:
            waiting = msgspec.json.decode(state.body, type=Waiting)
            instance_id, due, events = waiting.instance, waiting.due, waiting.events
        else:
            firing = msgspec.json.decode(state.body, type=Firing)
            instance_id, events = firing.instance, firing.events
        instance = await tx.instances.get(instance_id) if instance_id else None
        loaded = await tx.instances.load(list(dict.fromkeys(events)), _MOST_BYTES)
        payloads = {each.id: each.payload for each in loaded}
        missing = ""
        if instance_id and instance is None and state.gate != ABSENT:
            missing = f"the trigger instance {instance_id} is not stored any more"
        elif len(payloads) < len(set(events)):
            missing = "the events are not all stored any more, or they are too large together"
        stand_in = self._stand_in(rule, instance_id if missing else "")
        return _Plan(state, rule, instance or stand_in, events, [payloads.get(each) for each in events], due, missing)

    def _stand_in(self, rule: Rule, instance_id: str) -> TriggerInstance:
        """Returns an instance without a payload, for a rule that fires without an event."""
        now = self._clock.now()
        return TriggerInstance(
            trigger=ABSENCE,
            type=ABSENCE,
            occurred_at=now,
            status=PROCESSED,
            id=instance_id or self._clock.new_id(),
            payload={},
            trace_tag=f"absent-{rule.ref}",
            evaluated_at=now,
        )

    async def _write(self, tx: Tx, task: Due, plan: _Plan, match: Match, trees: list[str]) -> bool:
        """Writes that a rule fired, and the end of its row. Returns False, and writes nothing, if the state has changed
        since the plan."""
        trees.clear()
        now = self._clock.now()
        state, rule, instance = plan.state, plan.rule, plan.instance
        if await tx.gates.state(state.id) != state:
            return False
        wait = plan.due if plan.due > now else await self._unevaluated(tx, plan, now)
        if wait:
            await tx.queue.release(task, wait)
            return True
        if not await tx.queue.done(task):
            return True
        if state.gate == ABSENT:
            fired = msgspec.structs.replace(msgspec.json.decode(state.body, type=Absence), fired=True)
            await tx.gates.put(msgspec.structs.replace(state, touched=now, body=msgspec.json.encode(fired)))
        else:
            await tx.gates.remove(state.id)
        if await tx.enforcements.known(rule.id, instance.id):
            return True
        # Another rule may have given the event its trace meanwhile.
        instance = await tx.instances.get(instance.id) or instance
        passed = match.failure or state.gate not in (ABSENT, THROTTLE)
        verdict = FIRES if passed else await self._gating.settle(tx, rule, instance, plan.events, now)
        if instance.type == ABSENCE and not plan.missing:
            stored = await tx.instances.add(instance)
            if stored is not None:
                instance = stored
                await tx.events.add(change_of(stored, CREATE, now), change_document(stored))
        traced = await self._enforcing.apply(tx, verdict, match, instance, now, None, trees)
        if traced.trace != instance.trace:
            await tx.instances.settle(traced)
        return True

    async def _unevaluated(self, tx: Tx, plan: _Plan, now: int) -> int:
        """Returns when (µs) to look again, if an event that came in time is not yet evaluated; 0 if there is none."""
        if plan.state.gate != ABSENT:
            return 0
        since = msgspec.json.decode(plan.state.body, type=Absence).since
        where = InstanceFilter(triggers=(plan.rule.trigger.ref,), status=PENDING, after=since - 1, before=plan.due)
        return now + _UNEVALUATED_DELAY if await tx.instances.count(where, 1) else 0
