"""kill -9 of the server while hundreds of webhooks come: exactly one execution for each match, and none is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.faults.failpoints import EVENTS
from tests.scenarios.faults.happenings import Senders, add_rules, check_once, kill_at_random, settled
from tests.scenarios.faults.mortal import mortal_server
from tests.scenarios.faults.test_failpoints import Armed
from tests.scenarios.faults.test_server_kills import new_seed

from squall.testing.waiting import until

AT_A_POINT = 120
AT_RANDOM = 400
KILLS = 5


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory, fault_packs: Path) -> Iterator[Armed]:
    server = Armed(tmp_path_factory.mktemp("events"), fault_packs, SQUALL_QUEUE_SUSPECT_SECONDS="0.2")
    try:
        server.start()
        add_rules(server)
        yield server
    finally:
        server.leave_nothing()


@pytest.fixture(scope="module")
def everything() -> list[Senders]:
    """All that was sent to the server of this module."""
    return []


@pytest.mark.parametrize("point", EVENTS)
def test_each_match_has_one_execution_when_the_server_dies_when(
    armed: Armed, everything: list[Senders], point: str
) -> None:
    senders = Senders(armed, AT_A_POINT, len(everything) * AT_A_POINT)
    everything.append(senders)
    with senders.sending():
        until(lambda: senders.sent > AT_A_POINT // 4, "webhooks come")
        armed.die_at(point)
        until(armed.died, point, pause=0.001)
        senders.restart()
        # A second time, if there still is something to send.
        armed.die_at(point)
        until(lambda: armed.died() or senders.ended, point, pause=0.001)
        senders.restart()
        armed.point.unlink(missing_ok=True)
    settled(armed)
    # An event during whose decision the server died waits a little, and others pass it.
    check_once(armed, everything, ordered=False)


@pytest.mark.parametrize("bus", ["inproc", "deaf"])
def test_each_match_has_one_execution_over_kills_at_random(tmp_path: Path, fault_packs: Path, bus: str) -> None:
    rng = random.Random(new_seed())
    env = {"SQUALL_BUS_KIND": bus, "SQUALL_QUEUE_SUSPECT_SECONDS": "0.2"}
    with mortal_server(tmp_path, fault_packs, **env) as server:
        add_rules(server)
        senders = Senders(server, AT_RANDOM)
        with senders.sending():
            kill_at_random(senders, rng, KILLS, AT_RANDOM)
        settled(server)
        check_once(server, [senders], ordered=False)
        assert server.kills == KILLS
