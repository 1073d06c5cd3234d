"""What kills the server each time is set aside at the third start; what was near when it was killed is not."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server
from tests.scenarios.faults.poisoned import POISON

PROGRAM = [sys.executable, str(Path(__file__).with_name("poisoned.py"))]
SEED = 20_261_129
KILLS = int(os.environ.get("SQUALL_KILLS", "5"))


class Poisoned(Mortal):
    """A server that is killed at an armed place."""

    def __init__(self, home: Path, packs: Path) -> None:
        self.poison = home / "poison"
        super().__init__(home, packs, env={POISON: str(self.poison), "SQUALL_QUEUE_SUSPECT_SECONDS": "0.5"})
        self.program = PROGRAM

    def arm(self, place: str, action: str) -> None:
        """Kills the server from now on whenever it comes there with that action."""
        self.poison.write_text(f"{place} {action}")

    def dies(self) -> None:
        """Waits until the server has been killed by the poison."""
        assert self.wait() == -signal.SIGKILL


@pytest.fixture
def poisoned(tmp_path: Path, fault_packs: Path) -> Iterator[Poisoned]:
    server = Poisoned(tmp_path, fault_packs)
    try:
        server.start()
        yield server
    finally:
        server.leave_nothing()


@pytest.mark.parametrize(
    ("place", "action", "parameters"),
    [
        ("deciding", "examples.flow_line", {}),
        ("restoring", "examples.flow_line", {}),
        ("preparing", "core.local", {"cmd": "echo through"}),
        ("storing", "examples.flow_line", {}),
        # Its end kills the server. Before that, it is stored by its own request, of which nothing is left.
        ("storing", "core.local", {"cmd": "sleep 2; echo through"}),
    ],
)
def test_what_kills_the_server_is_set_aside_at_the_third_start_and_runs_when_it_is_retried(
    poisoned: Poisoned, place: str, action: str, parameters: dict[str, str]
) -> None:
    if (place, action) == ("storing", "core.local"):
        poisoned.request(action, **parameters)
        poisoned.arm(place, action)
    else:
        poisoned.arm(place, action)
        with contextlib.suppress(OSError, HTTPException, AssertionError):
            poisoned.request(action, **parameters)
    poisoned.dies()
    poisoned.again()
    [execution] = [each["id"] for each in poisoned.get("/v1/executions") if each["action"]["ref"] == action]
    poisoned.dies()
    poisoned.again()
    document = poisoned.get(f"/v1/executions/{execution}", include_attributes="status,waiting,waiting_for")
    assert document["waiting_for"]["reason"] == "set_aside"
    assert f"squall queue retry {execution}" in document["waiting"]
    assert poisoned.get("/readyz")["set_aside"] == 1
    other = "core.local" if action != "core.local" else "core.noop"
    assert poisoned.ended(poisoned.request(other, **({"cmd": "true"} if other == "core.local" else {})))
    listed = json.loads(poisoned.squall("queue", "list", "-j").out)
    assert [(each["id"], each["deaths"]) for each in listed] == [(execution, 2)]
    poisoned.poison.unlink()
    assert poisoned.squall("queue", "retry", execution).status == 0
    assert poisoned.ended(execution)["status"] == "succeeded"
    assert poisoned.get("/v1/queue/aside") == []


def test_what_is_worked_on_when_the_server_is_killed_is_not_set_aside(tmp_path: Path, fault_packs: Path) -> None:
    rng = random.Random(SEED)
    with mortal_server(tmp_path, fault_packs) as server:
        executions: list[str] = []
        for _ in range(KILLS):
            for _ in range(rng.randint(1, 15)):
                executions.append(server.request("examples.flow_line"))
                executions.append(server.shell("echo through"))
            server.kill()
            server.again()
            assert server.get("/v1/queue/aside") == []
        assert {server.ended(each)["status"] for each in executions} == {"succeeded"}
        assert server.get("/v1/queue/aside") == []
