"""Decides what a timer does at a moment: which fires happen, which are missed, and when it is due again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from squall.core.event.schedules.fire import Fire
from squall.core.event.schedules.lateness import Policy, parse_policy
from squall.core.event.schedules.misfires import Missed, due
from squall.core.event.schedules.schedule import (
    Schedule,
    fires_between,
    last_fire,
    next_fires,
    parse_schedule,
    why_no_fire,
)
from squall.core.event.timers.records import Pause, Timer

MOST_FIRES: Final = 100
"""The most fires of one timer that happen in one transaction."""


class Plan(msgspec.Struct, frozen=True):
    """A decision about a timer: the timer afterwards, and the fires that happen and that do not, both in their order.
    Whether a fire that happens starts, and is the timer's last, depends on those that run (`Policy.overlap`).

    If `more`, there are more fires to decide at once.
    """

    timer: Timer
    policy: Policy
    happens: tuple[Fire, ...] = ()
    missed: tuple[Missed, ...] = ()
    more: bool = False

    @property
    def due(self) -> int | None:
        """When the timer must be looked at again (µs since 1970): its next fire, or the end of its pause."""
        if self.timer.pause is not None:
            return self.timer.pause.until
        return self.timer.next


def schedule_of(timer: Timer, zone: ZoneInfo) -> Schedule:
    """Returns the schedule of a timer on a server in `zone`. Raises `InvalidError` for parameters that no timer can
    have."""
    return parse_schedule(timer.trigger.type, timer.trigger.parameters, timer.start, zone)


def plan(timer: Timer, zone: ZoneInfo, now: int) -> Plan:
    """Decides about all fires until `now` (µs since 1970). Raises `InvalidError` as `schedule_of`."""
    schedule, policy = schedule_of(timer, zone), parse_policy(timer.trigger.parameters)
    pause = timer.pause
    if pause is None:
        decided = _decided(timer, schedule, policy, now)
        return msgspec.structs.replace(decided, timer=_with_next(decided.timer, schedule, zone))
    ends = pause.until is not None and pause.until <= now
    if timer.last < pause.since:
        decided = _decided(timer, schedule, policy, pause.since)
        paused = msgspec.structs.replace(decided.timer, next=None)
        return msgspec.structs.replace(decided, timer=paused, more=decided.more or ends)
    if pause.until is None or not ends:
        return Plan(msgspec.structs.replace(timer, next=None), policy)
    timer, missed = _without_pause(timer, schedule, pause, pause.until)
    return Plan(_with_next(timer, schedule, zone), policy, (), missed, more=True)


def _decided(timer: Timer, schedule: Schedule, policy: Policy, now: int) -> Plan:
    """Decides about the fires until `now`, at most `MOST_FIRES` that happen. It leaves the timer's next fire."""
    decided = due(schedule, policy, timer.last, now)
    happens, until = decided.happens, decided.until
    more = len(happens) > MOST_FIRES
    if more:
        happens = happens[:MOST_FIRES]
        until = happens[-1].at
    timer = msgspec.structs.replace(timer, last=until)
    return Plan(timer, policy, happens, tuple(each for each in decided.missed if each.at <= until), more)


def begun(timer: Timer, zone: ZoneInfo) -> Timer:
    """Returns a new timer with its next fire. Raises `InvalidError` as `schedule_of`."""
    return _with_next(timer, schedule_of(timer, zone), zone)


def resumed(timer: Timer, zone: ZoneInfo, now: int) -> Plan:
    """Returns the plan of a timer whose pause ends at `now` (µs since 1970). The fires during the pause are missed. The
    timer begins at `now` again, also if the clock was ahead of it before."""
    timer = msgspec.structs.replace(timer, start=min(timer.start, now))
    schedule, policy = schedule_of(timer, zone), parse_policy(timer.trigger.parameters)
    if timer.pause is None:
        return Plan(timer, policy)
    timer, missed = _without_pause(timer, schedule, timer.pause, now)
    return Plan(_with_next(timer, schedule, zone), policy, (), missed)


def preview(timer: Timer, zone: ZoneInfo, now: int, count: int) -> tuple[list[Fire], str]:
    """Returns the next `count` fires after `now` (µs since 1970), and why there are no more if there is none. The notes
    say which ones a pause takes."""
    schedule = schedule_of(timer, zone)
    fires = next_fires(schedule, max(now, timer.last), count)
    return [_noted(each, timer.pause) for each in fires], "" if fires else why_no_fire(schedule, now)


def fires_in(timer: Timer, zone: ZoneInfo, begin: int, end: int) -> Iterator[Fire]:
    """Yields the fires from `begin` to `end` (µs since 1970, both included)."""
    return fires_between(schedule_of(timer, zone), begin - 1, end)


def pause_reason(pause: Pause) -> str:
    """Returns why a fire during a pause does not happen."""
    return f"{pause.by} paused the timer" + (f": {pause.reason}" if pause.reason else ".")


def _noted(fire: Fire, pause: Pause | None) -> Fire:
    if pause is None or (pause.until is not None and fire.at > pause.until):
        return fire
    note = f"{fire.note} It does not happen: {pause_reason(pause)}".strip()
    return msgspec.structs.replace(fire, note=note)


def _without_pause(timer: Timer, schedule: Schedule, pause: Pause, end: int) -> tuple[Timer, tuple[Missed, ...]]:
    """Ends a pause at `end`. One record stands for all fires during the pause."""
    first = next(fires_between(schedule, timer.last, end), None)
    missed: tuple[Missed, ...] = ()
    if first is not None:
        final = last_fire(schedule, first.at, end) or first
        missed = (Missed(first.at, final.at, pause_reason(pause)),)
    return msgspec.structs.replace(timer, last=end, pause=None), missed


def _with_next(timer: Timer, schedule: Schedule, zone: ZoneInfo) -> Timer:
    fires = next_fires(schedule, timer.last, 1)
    default = "" if timer.trigger.parameters.get("timezone") else zone.key
    return msgspec.structs.replace(timer, next=fires[0].at if fires else None, zone=default)
