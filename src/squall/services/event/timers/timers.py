"""Reads, pauses and resumes timers, and lets past fires happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.event.rules.changes import UPDATE
from squall.core.event.schedules.fire import Fire
from squall.core.event.timers.planning import fires_in, preview, resumed
from squall.core.event.timers.records import (
    MissedFire,
    Pause,
    Timer,
    change_document,
    change_of,
    source_of,
)
from squall.core.timestamp import to_iso
from squall.ports import Bus, Clock, Store, Tx
from squall.services.event.timers.fire_executions import replan
from squall.services.event.timers.firing import place
from squall.services.event.triggers.dispatching import Dispatching
from squall.services.lanes import SCHEDULE

MOST_PREVIEWED: Final = 1_000
"""The most fires that one preview has."""

MOST_BACKFILLED: Final = 1_000
"""The most fires that one backfill lets happen."""

_LONGEST_REASON = 1_000
_TOGETHER = 100
_FORGET_BATCH = 1_000
_DAY = 86_400_000_000


class Backfilled(NamedTuple):
    """A fire of a backfill, and the id of its trigger instance: `before` it if the fire had happened already."""

    fire: Fire
    instance_id: str | None
    before: bool


class Timers:
    """The use cases of timers. `zone` applies to timers whose parameters name none. Records of missed fires are kept
    for `days`; 0 keeps them for ever."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, dispatching: Dispatching, zone: ZoneInfo, days: int
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._dispatching = dispatching
        self._zone = zone
        self._days = days

    async def get(self, ref_or_id: str) -> Timer:
        """Returns one timer. Raises `NotFoundError`."""
        return await self._store.read(lambda tx: _existing(tx, ref_or_id))

    async def find(self, type_ref: str | None, limit: int | None, offset: int) -> tuple[list[Timer], int]:
        """Returns a page of the timers of all types or of one, by ref, and the number of all."""

        async def work(tx: Tx) -> tuple[list[Timer], int]:
            return list(await tx.timers.find(type_ref, limit, offset)), await tx.timers.count(type_ref)

        return await self._store.read(work)

    async def preview(self, ref_or_id: str, count: int) -> tuple[list[Fire], str]:
        """Returns the next `count` fires of a timer; if there is none, also why. Raises `NotFoundError`, and
        `InvalidError` for a count that is not from 1 to `MOST_PREVIEWED`."""
        if not 1 <= count <= MOST_PREVIEWED:
            raise InvalidError(f"count: {count} is not from 1 to {MOST_PREVIEWED}.")
        timer = await self.get(ref_or_id)
        return await asyncio.to_thread(preview, timer, self._zone, self._clock.now(), count)

    async def missed(self, ref_or_id: str, limit: int | None, offset: int) -> list[MissedFire]:
        """Returns a page of the fires of a timer that did not happen, newest first. Raises `NotFoundError`."""

        async def work(tx: Tx) -> list[MissedFire]:
            timer = await _existing(tx, ref_or_id)
            return list(await tx.timers.missed(timer.trigger.id, limit, offset))

        return await self._store.read(work)

    async def pause(self, ref_or_id: str, user: str, reason: str = "", until: int | None = None) -> Timer:
        """Pauses a timer in the name of `user`, until a time (µs since 1970) or for ever. A second pause replaces the
        user, the reason and the end. Raises `NotFoundError`, and `InvalidError` if `until` is over."""
        now = self._clock.now()
        if until is not None and until <= now:
            raise InvalidError(f"until: {to_iso(until)} is over. Use a later time.")
        if len(reason) > _LONGEST_REASON:
            raise InvalidError(f"reason: it has {len(reason)} characters; {_LONGEST_REASON} are allowed.")

        async def work(tx: Tx) -> Timer:
            timer = await _existing(tx, ref_or_id)
            since = now if timer.pause is None else timer.pause.since
            pause = Pause(by=user, reason=reason, since=since, until=until)
            paused = msgspec.structs.replace(timer, pause=pause, next=None)
            await self._put(tx, paused, now)
            return paused

        return await self._changed(work)

    async def resume(self, ref_or_id: str) -> Timer:
        """Ends the pause of a timer. The fires during the pause are recorded as missed. Raises `NotFoundError`, and
        `ConflictError` if the timer is not paused."""
        now = self._clock.now()

        async def work(tx: Tx) -> Timer:
            timer = await _existing(tx, ref_or_id)
            if timer.pause is None:
                raise ConflictError(f'The timer "{timer.trigger.ref}" is not paused.')
            plan = resumed(timer, self._zone, now)
            for each in plan.missed:
                await tx.timers.miss(timer.trigger.id, each, now)
            active = msgspec.structs.replace(plan.timer, missed=timer.missed + len(plan.missed))
            await self._put(tx, active, now)
            return active

        return await self._changed(work)

    async def backfill(
        self, ref_or_id: str, begin: int, end: int, most: int, *, dry_run: bool, execution: str = ""
    ) -> list[Backfilled]:
        """Lets the fires of a timer from `begin` to `end` (µs since 1970) happen now, if they have not happened. A
        `dry_run` only returns them. A backfill can be repeated: no fire happens twice. `execution` is the id of the
        execution that requests it, if there is one.

        Raises `NotFoundError`, and `InvalidError` if the times are no past range or have more than `most` fires.
        """
        now = self._clock.now()
        if not 1 <= most <= MOST_BACKFILLED:
            raise InvalidError(f"limit: {most} is not from 1 to {MOST_BACKFILLED}.")
        if end > now:
            raise InvalidError(f"to: {to_iso(end)} is in the future. A backfill is for fires of the past.")
        if begin > end:
            raise InvalidError(f"from: {to_iso(begin)} is after the end of the range, {to_iso(end)}.")
        timer = await self.get(ref_or_id)
        fires = await asyncio.to_thread(lambda: list(islice(fires_in(timer, self._zone, begin, end), most + 1)))
        if len(fires) > most:
            raise InvalidError(
                f"limit: there are more than {most} fires in this range. Use a shorter range"
                + (f", or a limit of at most {MOST_BACKFILLED}." if most < MOST_BACKFILLED else ".")
            )
        done: list[Backfilled] = []
        for at in range(0, len(fires), _TOGETHER):
            done += await self._backfill(timer, fires[at : at + _TOGETHER], now, execution, dry_run=dry_run)
        return done

    async def forget(self) -> None:
        """Removes old records of missed fires."""
        if not self._days:
            return
        before = self._clock.now() - self._days * _DAY
        while await self._store.tx(lambda tx: tx.timers.forget(before, _FORGET_BATCH)) == _FORGET_BATCH:
            pass

    async def _backfill(
        self, timer: Timer, fires: Sequence[Fire], now: int, execution: str, *, dry_run: bool
    ) -> list[Backfilled]:
        async def work(tx: Tx) -> list[Backfilled]:
            current = await _existing(tx, timer.trigger.id)
            done = []
            for fire in fires:
                earlier = await tx.instances.with_source(source_of(timer.trigger.id, fire.at))
                if earlier is not None or dry_run:
                    done.append(Backfilled(fire, None if earlier is None else earlier.id, earlier is not None))
                    continue
                noted = msgspec.structs.replace(fire, note=f"{fire.note} This fire was backfilled.".strip())
                instance = await place(tx, self._dispatching, current, noted, now, execution=execution)
                done.append(Backfilled(fire, instance.id, before=False))
            return done

        if dry_run:
            return await self._store.read(work)
        done = await self._store.tx(work)
        self._dispatching.hint()
        return done

    async def _put(self, tx: Tx, timer: Timer, now: int) -> None:
        await tx.timers.put(timer)
        await replan(tx, timer.trigger.id)
        await tx.events.add(change_of(timer, UPDATE, now), change_document(timer))

    async def _changed(self, work: Callable[[Tx], Awaitable[Timer]]) -> Timer:
        timer = await self._store.tx(work)
        self._bus.publish(SCHEDULE, timer.trigger.id)
        return timer


async def _existing(tx: Tx, ref_or_id: str) -> Timer:
    timer = await tx.timers.get(ref_or_id)
    if timer is None:
        raise NotFoundError(f'Resource with a reference or id "{ref_or_id}" not found')
    return timer
