"""Dispatches events: stores each as a trigger instance, with the queue row of its evaluation, in one transaction.

An event that is stored will be evaluated against all rules of its trigger, whatever dies meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError, TooLargeError
from squall.core.event.rules.changes import CREATE, change_document, change_of
from squall.core.event.rules.reading import check_payload
from squall.core.event.rules.records import PROCESSING_FAILED, Trigger, TriggerInstance
from squall.core.execution.trace import EXECUTION, TRIGGER_INSTANCE, Trace, TracePart, rule_depth
from squall.core.expr.bounds.limits import is_large
from squall.ports import Bus, Clock, Store, Tx
from squall.services.event.triggers.triggers import trigger_digest
from squall.services.lanes import AT_ONCE, RULES, EvaluationRow

LARGEST = 10 << 20
"""The most bytes of JSON of a payload."""

DEEPEST = 20
"""The most rules that may lead to an event one after the other. Deeper ones are stored, but not evaluated."""

_DEEPEST_PAYLOAD = 200

_AT_ONCE = (10_000, 1 << 20)
"""The parts and characters of a payload whose size is computed on the event loop."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event to dispatch. `trigger` is the ref of a trigger, or of a type that has a trigger of its own name; with
    `parameters`, it is the ref of a type, and the trigger of these parameters is meant.

    An event with a `source` is stored once, however often it is dispatched. `occurred_at` (µs) is the present by
    default. `trace` is the id of an existing trace; `trace_tag` begins a new one; `late_tag` is the tag of one that
    begins with the first match. `depth` is the number of rules that led to the event. `cause` is the kind and id of
    what caused it, for the trace. `execution` is the id of the execution that dispatches it; the event has its depth,
    is caused by it, and belongs to its trace unless it names one.

    If `is_checked`, the payload is not compared with the schema of its type. Rules are evaluated from `evaluated_from`
    (µs) on.
    """

    trigger: str
    payload: Any
    parameters: Mapping[str, Any] | None = None
    source: str | None = None
    occurred_at: int | None = None
    trace: str = ""
    trace_tag: str = ""
    late_tag: str = ""
    depth: int = 0
    cause: tuple[str, str] = ("", "")
    is_checked: bool = False
    evaluated_from: int = AT_ONCE
    execution: str = ""


class Dispatching:
    """The use cases of dispatching. `checks` is False if payloads need not fit the schemas of their types."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, *, checks: bool = True) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._checks = checks

    async def dispatch(self, event: Event, also: Callable[[Tx, TriggerInstance], Any] | None = None) -> TriggerInstance:
        """Stores an event; returns its instance. `also` writes what belongs to it, in the same transaction.

        If there is an instance with the same source, returns that one. Raises `InvalidError` if there is no such
        trigger or the payload does not fit, `TooLargeError`.
        """
        if is_large(event.payload, *_AT_ONCE):
            await asyncio.to_thread(check_size, event.payload)
        else:
            check_size(event.payload)

        async def work(tx: Tx) -> TriggerInstance:
            trigger = await self._trigger(tx, event)
            instance = await self.place(tx, await caused(tx, event), trigger)
            if also is not None:
                await also(tx, instance)
            return instance

        instance = await self._store.tx(work)
        self.hint()
        return instance

    def hint(self) -> None:
        """Publishes a hint that an event waits. Call it after a transaction in which `place` was called."""
        self._bus.publish(RULES, "")

    async def place(self, tx: Tx, event: Event, trigger: Trigger) -> TriggerInstance:
        """Stores an event of a trigger in the transaction `tx`, and returns its instance.

        If there is an instance with the same source, returns that one, and stores nothing.
        """
        now = self._clock.now()
        too_deep = event.depth > DEEPEST
        instance = TriggerInstance(
            trigger=trigger.ref,
            type=trigger.type,
            occurred_at=now if event.occurred_at is None else event.occurred_at,
            id=self._clock.new_id(),
            payload=event.payload,
            source=event.source,
            trace=event.trace,
            trace_tag=event.trace_tag or event.late_tag,
            depth=event.depth,
            status=PROCESSING_FAILED if too_deep else "pending",
            reason=too_deep_reason("this event") if too_deep else "",
        )
        new_trace = None
        if event.trace or event.trace_tag:
            instance, new_trace = await self._with_trace(tx, instance, event)
        stored = await tx.instances.add(instance)
        if stored is None:
            earlier = await tx.instances.with_source(event.source or "")
            assert earlier is not None  # noqa: S101 - its source was the reason
            return earlier
        if new_trace is not None:
            await tx.traces.add(new_trace)
        elif stored.trace:
            await tx.traces.join(stored.trace, instance_part(stored, event.cause))
        await tx.events.add(change_of(stored, CREATE, now), change_document(stored))
        if not too_deep:
            await tx.queue.put(RULES, stored.id, EvaluationRow(stored.trigger), event.evaluated_from)
        return stored

    async def _trigger(self, tx: Tx, event: Event) -> Trigger:
        if event.parameters:
            digest = trigger_digest(event.trigger, event.parameters)
            trigger = await tx.triggers.with_parameters(event.trigger, digest)
        else:
            trigger = await tx.triggers.get(event.trigger)
        if trigger is None:
            raise _refused(event, await _missing(tx, event))
        is_checked = event.is_checked or not self._checks
        trigger_type = None if is_checked else await tx.trigger_types.get(trigger.type)
        if trigger_type is not None:
            try:
                check_payload(trigger_type, event.payload)
            except InvalidError as error:
                raise _refused(event, str(error)) from None
        return trigger

    async def _with_trace(
        self, tx: Tx, instance: TriggerInstance, event: Event
    ) -> tuple[TriggerInstance, Trace | None]:
        """Returns an instance with its trace, and that trace if it does not exist yet."""
        if event.trace and await tx.traces.known(event.trace):
            return instance, None
        tag = event.trace_tag or default_tag(instance)
        part = instance_part(instance, event.cause)
        trace = Trace(id=self._clock.new_id(), tag=tag, start=instance.occurred_at, parts=(part,))
        return msgspec.structs.replace(instance, trace=trace.id, trace_tag=tag), trace


async def caused(tx: Tx, event: Event) -> Event:
    """Returns an event with the depth, the trace and the cause of the execution that dispatches it, if there is one."""
    execution = await tx.executions.get(event.execution, False) if event.execution else None
    if execution is None:
        return event
    trace = event.trace
    if not trace and not event.trace_tag:
        trace = await tx.traces.of_execution(execution.id) or ""
    depth = max(event.depth, rule_depth(execution.context))
    return msgspec.structs.replace(event, depth=depth, trace=trace, cause=(EXECUTION, execution.id))


def too_deep_reason(what: str) -> str:
    """Returns the reason why something is not done to which more than `DEEPEST` rules led."""
    return f"{DEEPEST} rules led to {what} one after the other, so a loop is likely."


async def depth_of(tx: Tx, execution_id: str) -> int:
    """Returns the number of rules that led to an execution; 0 if there is no such execution."""
    execution = await tx.executions.get(execution_id, False) if execution_id else None
    return 0 if execution is None else rule_depth(execution.context)


def instance_part(instance: TriggerInstance, cause: tuple[str, str] = ("", "")) -> TracePart:
    """Returns a trigger instance as a part of a trace."""
    return TracePart(TRIGGER_INSTANCE, instance.id, instance.trigger, *cause, instance.occurred_at)


def default_tag(instance: TriggerInstance) -> str:
    """Returns the tag of the trace of an event that came without one."""
    return f"trigger_instance-{instance.id}"


def check_size(payload: Any) -> None:
    """Raises `TooLargeError` if a payload has more than `LARGEST` bytes, `InvalidError` if it nests too deep."""
    if _depth(payload) > _DEEPEST_PAYLOAD:
        raise InvalidError(f"payload: it nests more than {_DEEPEST_PAYLOAD} times.")
    size = len(msgspec.json.encode(payload))
    if size > LARGEST:
        raise TooLargeError(f"payload: it has {size} bytes; {LARGEST} are allowed.")


def _depth(payload: Any) -> int:
    """Returns how deep lists and objects nest in a payload, at most one more than is allowed."""
    level = [payload]
    depth = 0
    while level and depth <= _DEEPEST_PAYLOAD:
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        depth += 1
    return depth


async def _missing(tx: Tx, event: Event) -> str:
    """Returns why there is no trigger for an event: no such type, or a type whose triggers have parameters."""
    trigger_type = None if event.parameters else await tx.trigger_types.get(event.trigger)
    if trigger_type is None or not trigger_type.parameters_schema:
        return f'Trigger type with reference "{event.trigger}" doesn\'t exist in the database'
    return (
        f'"{event.trigger}" is a trigger type with parameters, so only its triggers have events. '
        "Use the ref of one of them: squall rule list -j"
    )


def _refused(event: Event, reason: str) -> InvalidError:
    shown = msgspec.json.encode(event.payload)[:200].decode(errors="ignore")
    return InvalidError(
        "Trigger payload validation failed and validation is enabled, not dispatching a trigger "
        f'"{event.trigger}" ({shown}): {reason}'
    )
