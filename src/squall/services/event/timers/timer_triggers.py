"""Follows the triggers of timers: each has a timer and a queue row for its next fire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from squall.core.event.rules.changes import CREATE, DELETE
from squall.core.event.rules.records import Trigger
from squall.core.event.schedules.lateness import parse_policy
from squall.core.event.schedules.schedule import FIELDS, parse_schedule
from squall.core.event.timers.planning import begun
from squall.core.event.timers.records import Timer, change_document, change_of
from squall.ports import Clock, Tx
from squall.services.lanes import SCHEDULE


class TimerTriggers:
    """The `TriggerObserver` of the types of timers. `zone` applies to timers whose parameters name none."""

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        self._clock = clock
        self._zone = zone

    async def check(self, trigger_type: str, parameters: Mapping[str, Any]) -> None:
        """Raises `InvalidError`, which names the field, if these are no parameters of a timer."""
        if trigger_type in FIELDS:
            parse_schedule(trigger_type, parameters, self._clock.now(), self._zone)
            parse_policy(parameters)

    async def added(self, tx: Tx, trigger: Trigger, now: int) -> None:
        """Adds the timer of a trigger. It fires from `now` on."""
        if trigger.type not in FIELDS:
            return
        timer = begun(Timer(trigger=trigger, start=now, last=now), self._zone)
        await tx.timers.put(timer)
        if timer.next is not None:
            await tx.queue.put(SCHEDULE, trigger.id, None, timer.next)
        await tx.events.add(change_of(timer, CREATE, now), change_document(timer))

    async def removed(self, tx: Tx, trigger: Trigger, now: int) -> None:
        """Removes the timer of a trigger. What its fires have started goes on."""
        if trigger.type not in FIELDS:
            return
        await tx.timers.delete(trigger.id)
        await tx.queue.discard(SCHEDULE, trigger.id)
        timer = Timer(trigger=trigger, start=now, last=now)
        await tx.events.add(change_of(timer, DELETE, now), change_document(timer))
