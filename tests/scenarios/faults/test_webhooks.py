"""kill -9 of the server while webhooks come: each delivery that was answered is evaluated exactly once."""

from __future__ import annotations

import http.client
import random
import threading
from functools import partial
from pathlib import Path

import pytest
from tests.doubles.senders import signed
from tests.scenarios.faults.mortal import Mortal, mortal_server
from tests.scenarios.faults.test_server_kills import new_seed
from tests.scenarios.live.rules import hooked

from squall.testing.waiting import until

SENDERS = 4
DELIVERIES = 500
KILLS = 5
URL = "load"
SECRET = "s"


class Sender:
    """Sends deliveries, each until it is answered, with the same id: the hook drops those that came already."""

    def __init__(self, server: Mortal, numbers: list[int]) -> None:
        self._server = server
        self._numbers = numbers
        self.instances: dict[int, str] = {}
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for number in self._numbers:
            body = b'{"n": %d}' % number
            headers = {"Content-Type": "application/json", **signed("github", SECRET, body, 0, f"m{number}")}
            until(partial(self._sent, number, body, headers), f"delivery {number}")

    def _sent(self, number: int, body: bytes, headers: dict[str, str]) -> bool:
        try:
            reply = self._server.call("POST", f"/v1/webhooks/{URL}", raw=body, headers=headers)
        except (OSError, http.client.HTTPException):
            return False
        if reply.status != 202:
            return False
        self.instances[number] = reply.headers["x-squall-trigger-instance"]
        return True


def have_sent(senders: list[Sender], count: int) -> bool:
    """Whether so many deliveries were answered."""
    return sum(len(each.instances) for each in senders) >= count


@pytest.mark.timeout(300)
def test_each_answered_delivery_is_evaluated_once_over_kills_of_the_server(tmp_path: Path, fault_packs: Path) -> None:
    rng = random.Random(new_seed())
    with mortal_server(tmp_path, fault_packs) as server:
        hooked(server, URL)
        settings = {"preset": "github", "secrets": [SECRET], "drop_duplicates": True}
        assert server.call("PUT", f"/v1/webhooks/{URL}/settings", settings).status == 200
        senders = [Sender(server, list(range(first, DELIVERIES, SENDERS))) for first in range(SENDERS)]
        for kill in range(1, KILLS + 1):
            until(partial(have_sent, senders, kill * DELIVERIES // (KILLS + 1)), "deliveries come")
            server.lives(rng.random() * 0.05)
            server.kill()
            server.again()
        for sender in senders:
            sender.thread.join()
        instances = {number: each for sender in senders for number, each in sender.instances.items()}
        assert len(set(instances.values())) == DELIVERIES
        until(lambda: not server.get("/v1/triggerinstances", status="pending", limit=1), "all are evaluated")
        enforcements = server.get("/v1/ruleenforcements", limit=10_000)
        assert sorted(each["trigger_instance_id"] for each in enforcements) == sorted(instances.values())
        assert len({each["execution_id"] for each in enforcements}) == DELIVERIES
        accepted = server.call("GET", f"/v1/webhooks/{URL}/deliveries?verdict=accepted&limit=1")
        assert accepted.headers["x-total-count"] == str(DELIVERIES)
