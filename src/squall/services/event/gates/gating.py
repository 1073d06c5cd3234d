"""Decides in the transaction of an evaluation whether a match fires now, later, or not at all.

A match passes in this order: `absent` or `correlate`, silences, `throttle`, `hold`. The decisions are pure
(`squall.core.event.gates`); their states are rows of the store, so a death of the server changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.event.gates.absence import Absence, begun, came
from squall.core.event.gates.correlating import Arrived, Correlated, Progress, correlate
from squall.core.event.gates.records import (
    ABSENT,
    CORRELATE,
    FIRING,
    GATES,
    MOST_HELD,
    MOST_STATES,
    THROTTLE,
    Firing,
    GateState,
    HeldMatch,
)
from squall.core.event.gates.settings import (
    FIRST,
    LAST,
    Correlation,
    Group,
    Throttle,
    absent_within,
    correlation_of,
    throttle_of,
)
from squall.core.event.gates.silences import first_over
from squall.core.event.gates.throttling import Counted, Fires, Waiting, first, last, nth
from squall.core.event.rules.records import Rule, TriggerInstance
from squall.core.timestamp import to_iso
from squall.ports import Clock, Tx
from squall.services.event.rules.deciding import Match
from squall.services.event.rules.enforcing import FIRES, Verdict
from squall.services.lanes import AT_ONCE
from squall.services.lanes import GATES as LANE

ABSENCE = "core.squall.absence"
"""The ref of the trigger of the instance that stands for an absence, if a rule never had an event."""


class Gating:
    """The `Gate` of all rules, and the observer of rules that keeps their states."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    # -- changes of rules

    async def changed(self, tx: Tx, rule: Rule, now: int) -> None:
        """Drops the states of a rule that has changed. If it is enabled and has `absent`, its time begins. Held matches
        and complete correlations stay."""
        await self._drop(tx, rule, (THROTTLE, CORRELATE, ABSENT))
        within = absent_within(rule)
        if within and rule.enabled:
            state = begun(within, now)
            new = self._state(rule, ABSENT, "", now, msgspec.json.encode(state))
            await tx.gates.put(new)
            await tx.queue.put(LANE, new.id, None, state.due)

    async def removed(self, tx: Tx, rule: Rule, now: int) -> None:
        """Drops the states and the held matches of a rule that is removed."""
        await self._drop(tx, rule, GATES)
        await tx.gates.drop_held(rule.id)

    async def _drop(self, tx: Tx, rule: Rule, gates: Sequence[str]) -> None:
        for state_id in await tx.gates.drop(rule.id, gates):
            await tx.queue.discard(LANE, state_id)

    # -- matches

    async def admit(self, tx: Tx, match: Match, instance: TriggerInstance, now: int) -> Verdict:
        """Returns the verdict about a match in the evaluation of its event."""
        rule = match.rule
        if rule.absent is not None:
            return await self._came(tx, rule, instance, now)
        correlation, throttle = correlation_of(rule), throttle_of(rule)
        events: list[str] = []
        if correlation is not None:
            progress = await self._correlated(tx, match, correlation, instance, now)
            if not progress.complete:
                return Verdict(False, progress.reason)
            events = [each.instance for each in progress.complete]
        silence = await self._silence(tx, rule, instance, now)
        if silence:
            return Verdict(False, silence)
        if throttle is not None:
            limit = await self._throttled(tx, rule, throttle, match.group, instance, events, now)
            if not limit.fires:
                return Verdict(False, limit.reason)
        if rule.hold:
            return await self._hold(tx, rule, instance, events, now)
        if events or (throttle is not None and throttle.mode == LAST):
            return await self._fire_soon(tx, rule, instance, events, now)
        return FIRES

    async def settle(self, tx: Tx, rule: Rule, instance: TriggerInstance, events: Sequence[str], now: int) -> Verdict:
        """Returns the verdict about a match whose time has come: only silences and `hold` keep it back. A complete
        correlation has passed them when it was complete, so it needs no verdict."""
        silence = await self._silence(tx, rule, instance, now)
        if silence:
            return Verdict(False, silence)
        return await self._hold(tx, rule, instance, events, now) if rule.hold else FIRES

    async def _silence(self, tx: Tx, rule: Rule, instance: TriggerInstance, now: int) -> str:
        """Returns why a match is silenced, and counts it on the silence; empty if it is not."""
        triggers = {rule.trigger.type, rule.trigger.ref}
        if instance.type != ABSENCE:
            triggers = {instance.type, instance.trigger}
        targets = [("rule", rule.ref), ("pack", rule.pack), *(("trigger", ref) for ref in sorted(triggers))]
        silence = first_over(await tx.silences.over(targets, now), rule, instance.payload, now)
        if silence is None:
            return ""
        await tx.silences.silenced(silence.id, now)
        until = to_iso(silence.until)
        return f"silenced by {silence.author} until {until} (silence {silence.id}): {silence.reason}"

    async def _hold(self, tx: Tx, rule: Rule, instance: TriggerInstance, events: Sequence[str], now: int) -> Verdict:
        if await tx.gates.held_count(rule.id) >= MOST_HELD:
            return Verdict(
                False, f"{MOST_HELD} matches of the rule are held already; run or discard some of them", fails=True
            )
        held = HeldMatch(
            id=self._clock.new_id(),
            rule=rule.id,
            rule_ref=rule.ref,
            instance=instance.id,
            events=list(events),
            held_at=now,
        )
        await tx.gates.hold(held)
        return Verdict(False, f"held: run it with squall rule held {rule.ref} --run")

    async def _fire_soon(
        self, tx: Tx, rule: Rule, instance: TriggerInstance, events: Sequence[str], now: int
    ) -> Verdict:
        """Lets a match fire as soon as its parameters are rendered."""
        body = msgspec.json.encode(Firing(instance=instance.id, events=list(events)))
        if await tx.gates.get(rule.id, FIRING, instance.id) is None:
            state = self._state(rule, FIRING, instance.id, now, body)
            await tx.gates.put(state)
            await tx.queue.put(LANE, state.id, None, AT_ONCE)
        return Verdict(False, "fires as soon as its parameters are rendered")

    # -- absent

    async def _came(self, tx: Tx, rule: Rule, instance: TriggerInstance, now: int) -> Verdict:
        row = await tx.gates.get(rule.id, ABSENT, "")
        old = msgspec.json.decode(row.body, type=Absence) if row is not None else None
        new = came(old, instance.id, instance.occurred_at, absent_within(rule), now)
        if row is None:
            row = self._state(rule, ABSENT, "", now, b"")
        if new != old:
            await tx.gates.put(msgspec.structs.replace(row, touched=now, body=msgspec.json.encode(new)))
            # A later time needs no other row: the row that comes due earlier is put back.
            if old is None or old.fired or new.due < old.due:
                await tx.queue.discard(LANE, row.id)
                await tx.queue.put(LANE, row.id, None, new.due)
        return Verdict(False, f"absent: the event came; the rule fires if none comes until {to_iso(new.due)}")

    # -- correlate

    async def _correlated(
        self, tx: Tx, match: Match, correlation: Correlation, instance: TriggerInstance, now: int
    ) -> Progress:
        """Adds an event to its groups. Returns the first complete one, or the progress of the last."""
        rule, places = match.rule, len(correlation.entries) + 1
        progress = Progress(Correlated())
        for group, taken in match.parts:
            row = await tx.gates.get(rule.id, CORRELATE, group.key)
            state = msgspec.json.decode(row.body, type=Correlated) if row is not None else Correlated()
            event = Arrived(instance.number, instance.occurred_at, instance.id, taken)
            each = correlate(correlation.kind, places, correlation.within, state, event, now)
            if not progress.complete:
                progress = each
            until = max(now, instance.occurred_at) + correlation.within
            await self._keep(tx, rule, CORRELATE, group, row, now, until, msgspec.json.encode(each.state))
        return progress

    # -- throttle

    async def _throttled(
        self,
        tx: Tx,
        rule: Rule,
        throttle: Throttle,
        group: Group,
        instance: TriggerInstance,
        events: Sequence[str],
        now: int,
    ) -> Fires:
        row = await tx.gates.get(rule.id, THROTTLE, group.key)
        if throttle.mode == LAST:
            match = Waiting(instance=instance.id, number=instance.number, events=list(events), due=0)
            return await self._last(tx, rule, throttle, group, row, match, now)
        if throttle.mode == FIRST:
            start, fires = first(msgspec.json.decode(row.body, type=int) if row else None, throttle.within, now)
            body, until = msgspec.json.encode(start), start + throttle.within
        else:
            counted = msgspec.json.decode(row.body, type=Counted) if row else []
            counted, fires = nth(
                counted, instance.number, instance.occurred_at, throttle.threshold, throttle.within, now
            )
            body, until = msgspec.json.encode(counted), max(now, instance.occurred_at) + throttle.within
        await self._keep(tx, rule, THROTTLE, group, row, now, until, body)
        return fires

    async def _last(
        self, tx: Tx, rule: Rule, throttle: Throttle, group: Group, row: GateState | None, match: Waiting, now: int
    ) -> Fires:
        old = msgspec.json.decode(row.body, type=Waiting) if row is not None else None
        new = last(old, match, throttle.within, now)
        if row is None:
            if await tx.gates.count(rule.id, THROTTLE) >= MOST_STATES:
                return Fires(True)
            row = self._state(rule, THROTTLE, group.key, now, b"")
        await tx.gates.put(msgspec.structs.replace(row, touched=now, body=msgspec.json.encode(new)))
        if old is None or new.due < old.due:
            await tx.queue.discard(LANE, row.id)
            await tx.queue.put(LANE, row.id, None, new.due)
        return Fires(False, f"throttled: the last event fires at {to_iso(new.due)}; {new.count} came so far")

    # -- states

    async def _keep(
        self, tx: Tx, rule: Rule, gate: str, group: Group, row: GateState | None, now: int, until: int, body: bytes
    ) -> None:
        """Writes the state of a group. If a rule would have too many groups, the one that has been quiet longest is
        forgotten."""
        if row is None:
            if await tx.gates.count(rule.id, gate) >= MOST_STATES:
                oldest = await tx.gates.oldest(rule.id, gate)
                if oldest is not None:
                    await tx.gates.remove(oldest.id)
            row = self._state(rule, gate, group.key, now, body)
        await tx.gates.put(msgspec.structs.replace(row, until=until, touched=now, body=body))

    def _state(self, rule: Rule, gate: str, key: str, now: int, body: bytes) -> GateState:
        return GateState(id=self._clock.new_id(), rule=rule.id, gate=gate, key=key, touched=now, body=body)
