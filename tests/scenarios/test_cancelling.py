"""Cancelling at any moment of an execution's life: before it runs, while it is being started, at its very end."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.scenarios.live.server import FINAL, UPDATE, Server

COUNT = 100
ACTIONS = ("core.noop", "core.local", "core.local", "examples.flow_line")


@pytest.mark.parametrize("seed", [11, 12])
def test_a_cancel_at_any_moment_ends_in_one_final_status_once(server: Server, seed: int) -> None:
    """Of many that run for hardly any time each is cancelled a moment after it was asked for, some when it is over."""
    chance = random.Random(seed)
    plans = [(chance.choice(ACTIONS), chance.random() * 0.06, chance.random() * 0.03) for _ in range(COUNT)]
    turn = threading.Event()

    def live(plan: tuple[str, float, float]) -> tuple[str, bool]:
        """The execution, and whether it could still be cancelled."""
        action, pause, length = plan
        body: dict[str, Any] = {"action": action}
        if action == "core.local":
            body["parameters"] = {"cmd": f"sleep {length:.3f}; echo done"}
        if pause > 0.05:
            body["delay"] = 20
        execution = str(server.call("POST", "/v1/executions", body).json["id"])
        turn.wait(pause if pause > 0.005 else 0)
        reply = server.call("DELETE", f"/v1/executions/{execution}")
        assert reply.status == 200
        return execution, "faultstring" not in reply.json

    with server.stream(events=UPDATE) as stream:
        assert stream.read(1) == b"\n"
        with ThreadPoolExecutor(8) as pool:
            cancelled = dict(pool.map(live, plans))
        told: Counter[str] = Counter()
        for event in stream.events():
            if event.body["id"] in cancelled and event.body["status"] in FINAL:
                told[event.body["id"]] += 1
            if len(told) == COUNT:
                break
    found: Counter[str] = Counter()
    for execution, could in cancelled.items():
        document = server.ended(execution)
        statuses = [entry["status"] for entry in document["log"]]
        assert [status for status in statuses if status in FINAL] == [document["status"]], document
        # Who was told that it is being cancelled finds it cancelled, whatever it did meanwhile.
        assert (document["status"] == "canceled") == could, document
        found[document["status"]] += 1
    assert set(told.values()) == {1}
    assert found["canceled"] and found["succeeded"], found
