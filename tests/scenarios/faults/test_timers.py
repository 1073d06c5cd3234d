"""Timers lose no fire and double none, whatever becomes of their server."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server

from squall.core.timestamp import from_iso
from squall.testing.waiting import until

SECOND = 1_000_000
DEAF = {"SQUALL_BUS_KIND": "deaf"}


def rule(server: Mortal, name: str, **parameters: Any) -> str:
    """A rule that runs `core.noop` at each fire of a timer; the ref of the timer."""
    body = {
        "name": name,
        "pack": "default",
        "enabled": True,
        "trigger": {"type": "core.st2.IntervalTimer", "parameters": {"unit": "seconds", **parameters}},
        "action": {"ref": "core.noop"},
    }
    reply = server.call("POST", "/v1/rules", body)
    assert reply.status == 201, reply
    return str(reply.json["trigger"]["ref"])


def fires(server: Mortal, timer: str) -> list[int]:
    """The nominal times of the fires that happened (µs since 1970)."""
    instances = server.get("/v1/triggerinstances", trigger=timer, limit=-1)
    return [_nominal(each) for each in instances]


def _nominal(instance: dict[str, Any]) -> int:
    return from_iso(instance["payload"]["nominal_at"], "nominal_at")


def check(server: Mortal, timer: str, name: str, delta: int) -> None:
    """Each time of the timer until its last fire is a fire with one execution, or was missed with a reason."""
    happened = Counter(fires(server, timer))
    assert set(happened.values()) == {1}
    missed = server.get(f"/v1/timers/{timer}/missed", limit=-1)
    assert all(each["reason"] for each in missed)
    recorded = {from_iso(each["at"], "at") for each in missed if each["fires"] == 1}
    first, last = min(happened), max(happened)
    times = set(range(first, last + 1, delta * SECOND))
    assert times == set(happened) | {at for at in recorded if at < last}

    def enforced() -> bool:
        enforcements = server.get("/v1/ruleenforcements", rule_ref=f"default.{name}", limit=-1)
        instances = Counter(each["trigger_instance_id"] for each in enforcements)
        assert set(instances.values()) <= {1}
        return len(instances) >= len(happened)

    until(enforced, "each fire has its execution")


@pytest.mark.parametrize("bus", [{}, DEAF])
def test_each_fire_happens_once_over_kills_of_the_server(
    tmp_path: Path, fault_packs: Path, bus: dict[str, str]
) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED", random.randrange(1 << 32)))
    print(f"SQUALL_FAULT_SEED={seed}")
    dice = random.Random(seed)
    with mortal_server(tmp_path, fault_packs, **bus) as server:
        timer = rule(server, "tick", delta=1, misfire="all")
        for _ in range(4):
            seen = len(fires(server, timer))
            until(lambda seen=seen: len(fires(server, timer)) > seen, "the timer fires")  # type: ignore[misc]
            # Anywhere between two fires, or in the middle of one.
            time.sleep(dice.random())
            server.kill()
            server.again()
        seen = len(fires(server, timer))
        until(lambda: len(fires(server, timer)) > seen + 1, "the timer fires")
        check(server, timer, "tick", 1)


def test_fires_during_a_standstill_of_the_server_happen_when_it_goes_on(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        timer = rule(server, "tick", delta=1)
        until(lambda: fires(server, timer), "the timer fires")
        server.signal(signal.SIGSTOP)
        time.sleep(3.5)
        server.signal(signal.SIGCONT)
        seen = len(fires(server, timer))
        until(lambda: len(fires(server, timer)) > seen + 4, "the timer fires")
        check(server, timer, "tick", 1)


def test_a_fire_that_waits_happens_after_a_kill_when_the_earlier_one_has_ended(
    tmp_path: Path, fault_packs: Path
) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        gate = tmp_path / "gate"
        body = {
            "name": "slow", "pack": "default", "enabled": True, "action": {
                "ref": "core.local", "parameters": {"cmd": f"until [ -e {gate} ]; do sleep 0.05; done"},
            },
            "trigger": {
                "type": "core.st2.IntervalTimer",
                "parameters": {"unit": "seconds", "delta": 1, "overlap": "buffer_one"},
            },
        }  # fmt: skip
        timer = str(server.call("POST", "/v1/rules", body).json["trigger"]["ref"])
        until(lambda: server.get(f"/v1/timers/{timer}/missed"), "a fire waits, and another one is left out")
        assert len(fires(server, timer)) == 1
        server.kill()
        server.again()
        assert len(fires(server, timer)) == 1
        gate.touch()
        until(lambda: len(fires(server, timer)) > 1, "the fire that waited happens")
        first, second = sorted(fires(server, timer))[:2]
        assert second - first == SECOND
