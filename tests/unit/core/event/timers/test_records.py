"""The documents of timers."""

from __future__ import annotations

import json

from squall.core.event.rules.records import make_trigger
from squall.core.event.schedules.fire import Fire
from squall.core.event.timers.records import (
    MissedFire,
    Pause,
    Timer,
    change_document,
    change_of,
    document,
    fire_document,
    missed_document,
    payload_of,
    source_of,
    trace_tag,
)
from squall.core.timestamp import to_iso
from squall.testing.samples import NOON, sample_id

TRIGGER = make_trigger("core.st2.IntervalTimer", {"unit": "seconds", "delta": 2}, sample_id(1), "a-b-c")
SECOND = 1_000_000


def test_a_timer_is_its_trigger_with_keys_of_its_own() -> None:
    pause = Pause(by="ada", reason="deploy", since=NOON, until=None)
    shown = document(Timer(trigger=TRIGGER, start=NOON, last=NOON, fired=NOON, pause=pause, missed=3, rules=("p.r",)))
    assert {name: shown[name] for name in ("ref", "type", "parameters", "id")} == {
        "ref": "core.a-b-c",
        "type": "core.st2.IntervalTimer",
        "parameters": {"unit": "seconds", "delta": 2},
        "id": sample_id(1),
    }
    assert (shown["next_fire_at"], shown["last_fire_at"]) == (None, to_iso(NOON))
    assert (shown["missed_fires"], shown["rules"]) == (3, ["p.r"])
    assert shown["paused"]["by"] == "ada"
    assert shown["paused"]["until"] is None


def test_an_event_of_a_timer_has_its_document() -> None:
    timer = Timer(trigger=TRIGGER, start=NOON, last=NOON, next=NOON + SECOND)
    change = change_of(timer, "update", NOON)
    assert (change.kind, change.name, change.resource) == ("timer", "st2.timer__update", TRIGGER.id)
    assert json.loads(change_document(timer)) == document(timer)


def test_the_payload_of_a_fire_has_the_keys_of_stackstorm_and_says_its_nominal_time() -> None:
    fire = Fire(NOON, "2026-01-31T13:00:00+01:00")
    payload = payload_of(fire, 1_795_000_000_333_378)
    assert payload == {
        "executed_at": "2026-11-18 11:06:40.333378+00:00",
        "schedule": None,
        "nominal_at": "2026-01-31T13:00:00+01:00",
    }
    assert payload_of(Fire(NOON, "x", "moved"), NOON)["note"] == "moved"


def test_a_fire_has_a_source_and_a_trace_tag_of_its_own() -> None:
    assert source_of(sample_id(1), 7) == f"timer:{sample_id(1)}:7"
    assert trace_tag(TRIGGER) == "st2.IntervalTimer-a-b-c"


def test_fires_and_missed_fires_have_documents() -> None:
    assert fire_document(Fire(0, "l", "n")) == {"at": "1970-01-01T00:00:00.000000Z", "local": "l", "note": "n"}
    missed = missed_document(MissedFire(at=0, last=SECOND, fires=None, reason="why", recorded=2 * SECOND))
    assert missed == {
        "at": "1970-01-01T00:00:00.000000Z",
        "last": "1970-01-01T00:00:01.000000Z",
        "fires": None,
        "reason": "why",
        "recorded_at": "1970-01-01T00:00:02.000000Z",
    }
