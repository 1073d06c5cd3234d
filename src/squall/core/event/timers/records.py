"""The records of timers, their documents, and the events that tell of their changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from squall.core.event.events import Change
from squall.core.event.rules.records import Trigger
from squall.core.event.rules.records import document as trigger_document
from squall.core.event.schedules.fire import Fire
from squall.core.timestamp import to_iso

KIND: Final = "timer"
"""The kind of events about timers: `st2.timer__create`, `st2.timer__update`, `st2.timer__delete`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause of a timer: the user who paused it, the reason, and its begin and end (µs since 1970). Without `until` it
    lasts until somebody resumes the timer."""

    by: str
    reason: str = ""
    since: int
    until: int | None = None


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that fires by a schedule. All times are µs since 1970.

    `start` is when the timer was created, and never changes. `last` is the time up to which all fires are decided.
    `next` is the nominal time of the next fire; None if there is none, or if the timer is paused. `fired` is the
    nominal time of the last fire that happened. `zone` is the server's time zone that `next` depends on; empty if the
    parameters name a zone. `missed` is the number of missed fires; a record of uncounted ones counts as
    one. `rules` are the refs of rules that have the trigger, at most 20.
    """

    trigger: Trigger
    start: int
    last: int
    next: int | None = None
    fired: int | None = None
    zone: str = ""
    pause: Pause | None = None
    missed: int = 0
    rules: tuple[str, ...] = ()


class MissedFire(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a fire that did not happen, at its nominal time `at`, and why. If `last` is later than `at`, it
    stands for all fires from `at` to `last`. `fires` is their number; None if nobody has counted them. `recorded` is
    when the record was written. All times are µs since 1970."""

    at: int
    last: int
    fires: int | None = 1
    reason: str
    recorded: int


def source_of(trigger_id: str, nominal: int) -> str:
    """Returns the source of the trigger instance of a fire, which is unique."""
    return f"timer:{trigger_id}:{nominal}"


def trace_tag(trigger: Trigger) -> str:
    """Returns the tag of the traces of a timer's fires, in StackStorm's form."""
    return f"{trigger.type.partition('.')[2]}-{trigger.name}"


def payload_of(fire: Fire, now: int) -> dict[str, Any]:
    """Returns the payload of a fire that happens at `now` (µs since 1970). `executed_at` and `schedule` are those of
    StackStorm."""
    payload = {
        "executed_at": str(_EPOCH + timedelta(microseconds=now)),
        "schedule": None,
        "nominal_at": fire.local,
    }
    return {**payload, "note": fire.note} if fire.note else payload


def change_of(timer: Timer, what: str, at: int) -> Change:
    """Returns the event `st2.timer__<what>` of a timer at `at` (µs since 1970)."""
    return Change(kind=KIND, name=f"st2.{KIND}__{what}", resource=timer.trigger.id, at=at)


def change_document(timer: Timer) -> bytes:
    """Returns the timer as listeners of events get it (JSON)."""
    return msgspec.json.encode(document(timer))


def document(timer: Timer) -> dict[str, Any]:
    """Returns a timer as the API shows it: its trigger as in StackStorm, and what Squall adds."""
    return {
        **trigger_document(timer.trigger),
        "next_fire_at": _iso(timer.next),
        "last_fire_at": _iso(timer.fired),
        "paused": None if timer.pause is None else _pause_document(timer.pause),
        "missed_fires": timer.missed,
        "rules": list(timer.rules),
    }


def _pause_document(pause: Pause) -> dict[str, Any]:
    return {"by": pause.by, "reason": pause.reason, "since": _iso(pause.since), "until": _iso(pause.until)}


def missed_document(missed: MissedFire) -> dict[str, Any]:
    """Returns a record of a missed fire as the API shows it."""
    return {
        "at": _iso(missed.at),
        "last": _iso(missed.last),
        "fires": missed.fires,
        "reason": missed.reason,
        "recorded_at": _iso(missed.recorded),
    }


def fire_document(fire: Fire) -> dict[str, Any]:
    """Returns a fire as the API shows it."""
    return {"at": to_iso(fire.at), "local": fire.local, "note": fire.note}


def _iso(at: int | None) -> str | None:
    return None if at is None else to_iso(at)
