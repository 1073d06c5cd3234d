"""kill -9 of the server while executions end: each end is one event, one notification for each route, one match."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server

from squall.testing.waiting import until

COUNT = 60
KILLS = 4
ACTION = "core.st2.generic.actiontrigger"
NOTIFY = "core.st2.generic.notifytrigger"


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory, fault_packs: Path) -> Iterator[Mortal]:
    with mortal_server(tmp_path_factory.mktemp("inside"), fault_packs) as server:
        yield server


def create_rule(server: Mortal, name: str, trigger: str) -> None:
    body = {
        "name": name,
        "pack": "default",
        "enabled": True,
        "trigger": {"type": trigger},
        "criteria": {"trigger.action_ref": {"type": "equals", "pattern": "core.local"}},
        "action": {"ref": "core.noop"},
    }
    assert server.call("POST", "/v1/rules", body).status == 201


def enforced(server: Mortal, name: str) -> int:
    return len(server.get("/v1/ruleenforcements", rule_ref=f"default.{name}", limit=1000))


def counted(server: Mortal, trigger: str) -> Counter[tuple[str, Any]]:
    """How often each execution and route has an event."""
    page = server.get("/v1/triggerinstances", trigger=trigger, limit=1000)
    payloads = [each["payload"] for each in page]
    return Counter(
        (payload["execution_id"], payload.get("route")) for payload in payloads if payload["action_ref"] == "core.local"
    )


def test_each_end_is_one_event_and_one_notification_over_kills(mortal: Mortal) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED", "0")) or SystemRandom().randrange(1, 1 << 32)
    print(f"SQUALL_FAULT_SEED={seed}")
    random = Random(seed)
    create_rule(mortal, "ended", ACTION)
    create_rule(mortal, "told", NOTIFY)
    kills = set(random.sample(range(COUNT), KILLS))
    executions = []
    for number in range(COUNT):
        notify = {"on-complete": {"routes": ["a", "b"], "message": "{{ action_parameters.cmd }}"}}
        body = {"action": "core.local", "parameters": {"cmd": "true"}, "notify": notify}
        executions.append(mortal.call("POST", "/v1/executions", body).json["id"])
        if number in kills:
            mortal.kill()
            mortal.again()
    until(lambda: enforced(mortal, "ended") >= COUNT and enforced(mortal, "told") >= 2 * COUNT, "all events")
    assert counted(mortal, ACTION) == Counter((each, None) for each in executions)
    assert counted(mortal, NOTIFY) == Counter((each, route) for each in executions for route in "ab")
    assert (enforced(mortal, "ended"), enforced(mortal, "told")) == (COUNT, 2 * COUNT)
