"""Writes decisions about events: enforcements, executions, and the end of each evaluation, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from squall.core.errors import InvalidError, SquallError
from squall.core.event.rules.changes import CREATE, UPDATE, change_document, change_of, kept_back_change
from squall.core.event.rules.explanation import document as explanation_document
from squall.core.event.rules.records import (
    FAILED,
    PROCESSED,
    SUCCEEDED,
    Enforcement,
    KeptBack,
    Rule,
    TriggerInstance,
    document,
    identity,
)
from squall.core.execution.execution import Origin
from squall.core.execution.trace import RULE, TRIGGER_INSTANCE, Trace, TracePart
from squall.ports import Bus, Clock, Due, Store, Tx
from squall.services.event.rules.deciding import Decision, Match
from squall.services.event.triggers.dispatching import default_tag, instance_part
from squall.services.execution.executions import Executions
from squall.services.execution.reservations import Reservation, Starting
from squall.services.execution.transitions import Transitions
from squall.services.lanes import CHANGED, GATES

MOST_MATCHES = 200
"""The most matches that one transaction writes. A decision with more is written in several."""

LEASE = 60_000_000
"""The time (µs) for which rows of lane `rules` are claimed."""


class LostRowError(SquallError):
    """The row of an evaluation was claimed again, so nothing of its decision may be written. `instance` is its key."""

    code = "internal"

    def __init__(self, instance: str) -> None:
        super().__init__(f"The row of the trigger instance {instance} was claimed again.")
        self.instance = instance


class Verdict(NamedTuple):
    """The verdict of a gate about a match: it fires now, or `reason` says in words why it does not. If `fails`, the
    match is given up, and its enforcement has the reason."""

    fires: bool
    reason: str = ""
    fails: bool = False


FIRES = Verdict(True)
"""The verdict of a gate that lets a match pass."""


class Gate(Protocol):
    """What may keep a rule that matches from firing now: a limit, a silence, a hold. Its state is in the store."""

    async def admit(self, tx: Tx, match: Match, instance: TriggerInstance, now: int) -> Verdict:
        """Returns the verdict about a match. Writes in the transaction `tx` what it must remember."""
        ...


class Enforcing:
    """Writes decisions. The decision of an instance is written once: its row must still be held, and each rule has at
    most one enforcement for an instance."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        executions: Executions,
        transitions: Transitions,
        starting: Starting,
        gates: Sequence[Gate] = (),
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._executions = executions
        self._transitions = transitions
        self._starting = starting
        self._gates = gates
        self._has_kept_back = False

    async def write(self, decisions: Sequence[tuple[Due, Decision]]) -> bool:
        """Writes decisions, and removes their rows. Returns False, and writes nothing more, if a rule has changed since
        they were made.

        Raises `LostRowError` if another process has claimed a row meanwhile.
        """
        batch: list[tuple[Due, Decision, Sequence[Match]]] = []
        count = 0
        for task, decision in decisions:
            matches = decision.matches
            while len(matches) > MOST_MATCHES:
                if not await self._write([*batch, (task, decision, matches[:MOST_MATCHES])], ends_last=False):
                    return False
                batch, count, matches = [], 0, matches[MOST_MATCHES:]
            if count + len(matches) > MOST_MATCHES:
                if not await self._write(batch):
                    return False
                batch, count = [], 0
            batch.append((task, decision, matches))
            count += len(matches)
        return await self._write(batch)

    async def _write(self, batch: Sequence[tuple[Due, Decision, Sequence[Match]]], *, ends_last: bool = True) -> bool:
        now = self._clock.now()
        trees: list[str] = []

        async def work(tx: Tx) -> bool:
            reservation.begin()
            trees.clear()
            number = await tx.rules.number()
            if any(decision.number != number for _, decision, _ in batch):
                return False
            for at, (task, decision, matches) in enumerate(batch):
                ends = decision.ends and (at < len(batch) - 1 or ends_last)
                if not (await tx.queue.done(task) if ends else await tx.queue.renew([task], now, LEASE)):
                    raise LostRowError(task.key)
                instance = await self._fire_all(tx, decision.instance, matches, now, reservation, trees)
                if ends:
                    await _end(tx, instance, decision.number, now)
            return True

        firing = sum(match.prepared is not None for _, _, matches in batch for match in matches)
        with self._starting.reserved(firing) as reservation:
            written = await self._store.tx(work)
        self.announce(trees)
        return written

    async def _fire_all(
        self,
        tx: Tx,
        instance: TriggerInstance,
        matches: Sequence[Match],
        now: int,
        reservation: Reservation,
        trees: list[str],
    ) -> TriggerInstance:
        """Enforces the matches of an instance. Returns it with its trace."""
        for match in matches:
            if await tx.enforcements.known(match.rule.id, instance.id):
                continue
            verdict = FIRES if match.failure else await self._verdict(tx, match, instance, now)
            instance = await self.apply(tx, verdict, match, instance, now, reservation, trees)
        return instance

    async def _verdict(self, tx: Tx, match: Match, instance: TriggerInstance, now: int) -> Verdict:
        for gate in self._gates:
            verdict = await gate.admit(tx, match, instance, now)
            if not verdict.fires:
                return verdict
        return FIRES

    async def apply(
        self,
        tx: Tx,
        verdict: Verdict,
        match: Match,
        instance: TriggerInstance,
        now: int,
        reservation: Reservation | None,
        trees: list[str],
    ) -> TriggerInstance:
        """Enforces a match, or stores why it was kept back, for its explanation and for listeners. Arguments and result
        are those of `enforce`."""
        if not verdict.fires and not verdict.fails:
            rule = match.rule
            kept = KeptBack(rule=rule.id, rule_ref=rule.ref, instance=instance.id, at=now, reason=verdict.reason)
            await tx.kept_back.put(kept)
            await tx.events.add(*kept_back_change(kept))
            self._has_kept_back = True
            return instance
        if verdict.fails:
            match = match._replace(prepared=None, failure=verdict.reason)
        return await self.enforce(tx, match, instance, now, reservation, trees)

    def announce(self, trees: Sequence[str]) -> None:
        """Publishes hints about new executions by their trees, and about matches that fire later. Call it after a
        transaction that enforced matches."""
        if self._has_kept_back:
            self._has_kept_back = False
            self._bus.publish(GATES, "")
        if trees:
            self._transitions.wake()
        for tree in trees or [""]:
            self._bus.publish(CHANGED, tree)

    async def enforce(
        self,
        tx: Tx,
        match: Match,
        instance: TriggerInstance,
        now: int,
        reservation: Reservation | None,
        trees: list[str],
    ) -> TriggerInstance:
        """Writes the enforcement of one match in the transaction `tx`, and requests the execution, which fails at once
        if its parameters are unfit. Adds its tree to `trees`. Returns the instance with its trace."""
        instance = await self._traced(tx, instance, now)
        execution_id, failure = None, match.failure
        wanted = match.prepared or match.unfit
        if wanted is not None:
            request = msgspec.structs.replace(
                wanted.request,
                context={**wanted.request.context, **_context(instance)},
                origin=await _origin(tx, match.rule, instance),
            )
            prepared = msgspec.structs.replace(wanted, request=request)
            try:
                execution = await self._executions.place(tx, prepared, now, reservation, failure)
                execution_id = execution.id
                trees.append(execution.tree)
            except InvalidError as error:
                failure = str(error)
        enforcement = Enforcement(
            trigger_instance_id=instance.id,
            execution_id=execution_id,
            failure_reason=failure or None,
            rule=identity(match.rule),
            enforced_at=now,
            status=FAILED if failure else SUCCEEDED,
            id=self._clock.new_id(),
        )
        explanation = msgspec.json.encode(match.shown or explanation_document(match.explanation))
        await tx.enforcements.add(enforcement, explanation)
        part = TracePart(RULE, match.rule.id, match.rule.ref, TRIGGER_INSTANCE, instance.id, now)
        await tx.traces.join(instance.trace, part)
        await tx.events.add(change_of(enforcement, CREATE, now), change_document(enforcement))
        return instance

    async def _traced(self, tx: Tx, instance: TriggerInstance, now: int) -> TriggerInstance:
        """Returns the instance with a trace. The trace of an event that came without one begins with its first
        match."""
        if instance.trace:
            return instance
        tag = instance.trace_tag or default_tag(instance)
        trace = Trace(id=self._clock.new_id(), tag=tag, start=now, parts=(instance_part(instance),))
        await tx.traces.add(trace)
        return msgspec.structs.replace(instance, trace=trace.id, trace_tag=tag)


async def _origin(tx: Tx, rule: Rule, instance: TriggerInstance) -> Origin:
    """Returns the origin of an execution that `rule` requests for `instance`, and keeps its documents in the
    transaction `tx`. Executions with equal documents share them."""
    trigger = await tx.triggers.get(instance.trigger)
    trigger_type = await tx.trigger_types.get(instance.type)
    documents = {
        "rule": document(rule),
        **({"trigger": document(trigger)} if trigger is not None else {}),
        **({"trigger_type": document(trigger_type)} if trigger_type is not None else {}),
    }
    body = msgspec.json.encode(documents)
    key = hashlib.sha256(body).hexdigest()[:32]
    await tx.enforcements.keep_origin(key, body)
    return Origin(
        rule=rule.name,
        trigger=instance.trigger.partition(".")[2],
        trigger_type=instance.type.partition(".")[2],
        trigger_instance=instance.id,
        documents=key,
    )


async def _end(tx: Tx, instance: TriggerInstance, number: int, now: int) -> None:
    """Writes that an instance was evaluated with the rules as of `number`."""
    ended = msgspec.structs.replace(instance, status=PROCESSED, evaluated_at=now, rules_number=number, reason="")
    await tx.instances.settle(ended)
    await tx.events.add(change_of(ended, UPDATE, now), change_document(ended))


def _context(instance: TriggerInstance) -> Mapping[str, Any]:
    return {"trace_context": {"id_": instance.trace, "trace_tag": None, "depth": instance.depth + 1}}
