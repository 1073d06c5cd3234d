"""Lets timers fire: each fire is a trigger instance, stored once, together with the queue row of the next fire."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from squall.core.environment import back_off, is_of_environment
from squall.core.event.rules.changes import UPDATE
from squall.core.event.rules.records import TriggerInstance
from squall.core.event.schedules.fire import Fire
from squall.core.event.schedules.lateness import delay
from squall.core.event.schedules.misfires import ON_TIME, Missed
from squall.core.event.timers.planning import Plan, plan
from squall.core.event.timers.records import (
    Timer,
    change_document,
    change_of,
    payload_of,
    source_of,
    trace_tag,
)
from squall.core.execution.execution import Execution
from squall.ports import Bus, Clock, Due, Store, Tx
from squall.services.event.timers.fire_executions import replan
from squall.services.event.timers.overlapping import Admitted, Overlapping
from squall.services.event.triggers.dispatching import Dispatching, Event, caused
from squall.services.execution.transitions import Transitions
from squall.services.lanes import AT_ONCE, CANCEL, SCHEDULE
from squall.services.suspects import Suspects

_LOG = logging.getLogger("squall.timers")
MOST = 256
"""The most timers that one call of `fire` handles."""

_LEASE = 60_000_000
_RETRY_DELAY = 60_000_000
_MOST_ROWS = 500
_MANY = 500
_TURN = 0.004


class _Planned(NamedTuple):
    """A claimed row of a timer, with the decision about it; None if the timer does not exist."""

    task: Due
    plan: Plan | None

    @property
    def size(self) -> int:
        """The number of rows that it will write, roughly."""
        return 1 if self.plan is None else 1 + len(self.plan.happens) + len(self.plan.missed)


class Firing:
    """Handles the rows of lane `schedule`. `zone` applies to timers whose parameters name none."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        suspects: Suspects,
        dispatching: Dispatching,
        transitions: Transitions,
        zone: ZoneInfo,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._suspects = suspects
        self._dispatching = dispatching
        self._transitions = transitions
        self._overlapping = Overlapping(transitions)
        self._zone = zone

    async def due(self) -> int | None:
        """Returns when the next row is due (µs since 1970); None if there is none."""
        return await self._store.read(lambda tx: tx.queue.next_due(SCHEDULE))

    async def use_zone(self) -> None:
        """Decides again when the timers fire whose next fire depends on another zone of the server. Call it at the
        start, because the server may have had another zone before."""
        while await self._store.tx(self._rezone) == _MANY:
            pass

    async def fire(self) -> int:
        """Claims at most `MOST` due rows, and handles them. Returns their number."""
        claimed = await self._store.tx(self._claim, durable=False)
        batch: list[_Planned] = []
        loop = asyncio.get_running_loop()
        until = loop.time() + _TURN
        for task, timer in claimed:
            if loop.time() > until:
                await asyncio.sleep(0)
                until = loop.time() + _TURN
            planned = await self._planned(task, timer)
            if planned is None:
                continue
            batch.append(planned)
            if sum(each.size for each in batch) >= _MOST_ROWS:
                await self._write(batch)
                batch = []
        await self._write(batch)
        return len(claimed)

    async def _claim(self, tx: Tx) -> list[tuple[Due, Timer | None]]:
        tasks = await self._suspects.claim(tx, SCHEDULE, self._clock.now(), _LEASE, MOST)
        timers = {timer.trigger.id: timer for timer in await tx.timers.load([task.key for task in tasks])}
        return [(task, timers.get(task.key)) for task in tasks]

    async def _rezone(self, tx: Tx) -> int:
        ids = await tx.timers.in_other_zones(self._zone.key, _MANY)
        for timer in await tx.timers.load(ids):
            await tx.timers.put(msgspec.structs.replace(timer, zone=self._zone.key))
            await replan(tx, timer.trigger.id)
        return len(ids)

    async def _planned(self, task: Due, timer: Timer | None) -> _Planned | None:
        """Returns the decision about a timer. If a defect prevents one, returns None, and the row is released for a
        later attempt: a fire must not be lost."""
        if timer is None:
            return _Planned(task, None)
        try:
            return _Planned(task, await self._suspects.watched(SCHEDULE, task.key, self._plan(timer)))
        except Exception as error:
            await self._release(task, error)
            return None

    async def _plan(self, timer: Timer) -> Plan:
        now = self._clock.now()
        if timer.next is not None and now - timer.next <= ON_TIME:
            return plan(timer, self._zone, now)
        # To list many missed fires takes time, which the event loop does not have.
        return await asyncio.to_thread(plan, timer, self._zone, now)

    async def _write(self, batch: Sequence[_Planned]) -> None:
        """Writes decisions. If the environment makes that fail, tries again: nobody else holds the rows. A defect
        fails alone."""
        failures = 0
        while batch:
            try:
                await self._write_all(batch)
                return
            except Exception as error:
                if is_of_environment(error):
                    failures += 1
                    _LOG.warning("timers wait for the database", extra={"error": str(error)})
                    await asyncio.sleep(back_off(failures))
                elif len(batch) == 1:
                    await self._release(batch[0].task, error)
                    return
                else:
                    for each in batch:
                        await self._write([each])
                    return

    async def _write_all(self, batch: Sequence[_Planned]) -> None:
        canceled: list[Execution] = []
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            canceled.clear()
            for task, decided in batch:
                # A row that is gone was replaced, together with a change of its timer.
                if await tx.queue.done(task) and decided is not None:
                    canceled.extend(await self._carry_out(tx, decided, now))

        await self._store.tx(work)
        self._dispatching.hint()
        for execution in canceled:
            self._bus.publish(CANCEL, execution.id)
            self._transitions.hint(execution)

    async def _carry_out(self, tx: Tx, decided: Plan, now: int) -> Sequence[Execution]:
        """Writes a decision: instances, missed fires, the timer, and its next row. Returns canceled executions."""
        timer, admitted, again = decided.timer, Admitted(()), decided.due
        # What waits does not start during a pause.
        if timer.pause is None or decided.happens:
            admitted = await self._overlapping.admit(tx, timer, decided.policy, decided.happens, now)
        for fire in admitted.starts:
            await self._start(tx, decided, fire, now)
        if admitted.starts:
            timer = msgspec.structs.replace(timer, fired=admitted.starts[-1].at)
        await self._note(tx, timer, decided.missed, admitted, now)
        await tx.timers.put(timer)
        times = [AT_ONCE] if decided.more else [each for each in (again, admitted.again) if each is not None]
        if times:
            await tx.queue.put(SCHEDULE, timer.trigger.id, None, min(times))
        return admitted.canceled

    async def _start(self, tx: Tx, decided: Plan, fire: Fire, now: int) -> None:
        trigger = decided.timer.trigger
        instance = await place(
            tx, self._dispatching, decided.timer, fire, now, delay(trigger.id, fire.at, decided.policy)
        )
        if decided.policy.overlap != "allow":
            await tx.fires.begin(trigger.id, fire.at, instance.id)

    async def _note(self, tx: Tx, timer: Timer, missed: Sequence[Missed], admitted: Admitted, now: int) -> None:
        """Records the fires that did not happen, and tells of them."""
        for each in missed:
            await tx.timers.miss(timer.trigger.id, each, now)
        others = [timer.fired or 0, *(fire.at for fire in (*admitted.starts, *admitted.waiting))]
        for each in admitted.missed:
            since = max((at for at in others if at < each.at), default=0)
            await tx.timers.miss(timer.trigger.id, each, now, since)
        count = len(missed) + len(admitted.missed)
        if count:
            changed = msgspec.structs.replace(timer, missed=timer.missed + count)
            await tx.events.add(change_of(changed, UPDATE, now), change_document(changed))

    async def _release(self, task: Due, error: Exception) -> None:
        _LOG.error("a timer cannot fire; it is tried again", exc_info=error, extra={"timer": task.key})
        available = self._clock.now() + _RETRY_DELAY
        await self._store.tx(lambda tx: tx.queue.release(task, available))


async def place(
    tx: Tx, dispatching: Dispatching, timer: Timer, fire: Fire, now: int, jitter: int = 0, execution: str = ""
) -> TriggerInstance:
    """Stores the trigger instance of a fire, unless there is one. Returns it. Rules are evaluated `jitter` µs after the
    nominal time. `execution` is the id of the execution that lets the timer fire, if there is one."""
    source = source_of(timer.trigger.id, fire.at)
    earlier = await tx.instances.with_source(source)
    if earlier is not None:
        return earlier
    event = Event(
        trigger=timer.trigger.ref,
        payload=payload_of(fire, now),
        source=source,
        occurred_at=now,
        trace_tag=trace_tag(timer.trigger),
        evaluated_from=fire.at + jitter if jitter else AT_ONCE,
        execution=execution,
    )
    return await dispatching.place(tx, await caused(tx, event), timer.trigger)
