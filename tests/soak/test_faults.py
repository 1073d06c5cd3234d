"""The fault tests at length: thousands of kills, a thousand viewers, for SQUALL_SOAK_MINUTES."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.scenarios.faults import test_server_kills as kills
from tests.scenarios.faults.failpoints import KEEPERS, SERVER
from tests.scenarios.faults.happenings import Senders, add_rules, check_once, kill_at_random, settled
from tests.scenarios.faults.mortal import mortal_server
from tests.scenarios.faults.pack import write_pack
from tests.scenarios.faults.test_crowds import crowd_of_viewers
from tests.scenarios.faults.test_failpoints import (
    Armed,
    keeper_dies,
    server_dies,
)
from tests.scenarios.faults.test_moments import MOMENTS, outcome, reach
from tests.scenarios.faults.viewers import Copy, Viewer, check_all
from tests.scenarios.live.pack import write_pack as write_live_pack

from squall.testing.waiting import until

MINUTES = float(os.environ.get("SQUALL_SOAK_MINUTES") or 0)
MOST_KILLS = 10_000
A_ROUND = 40
VIEWERS = 1000
WEBHOOKS = 10_000

pytestmark = pytest.mark.timeout(MINUTES * 60 + 600)


@pytest.fixture(scope="session")
def fault_packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the pack of the fault tests."""
    folder = tmp_path_factory.mktemp("fault-packs")
    write_live_pack(folder)
    write_pack(folder)
    return folder


def test_viewers_see_every_byte_once_over_thousands_of_kills(tmp_path: Path, fault_packs: Path) -> None:
    seed = kills.new_seed()
    rng = random.Random(seed)
    over = time.monotonic() + MINUTES * 60 / 2
    with mortal_server(tmp_path, fault_packs) as server:
        while time.monotonic() < over and server.kills < MOST_KILLS:
            copy = Copy(server.folder())
            execution = server.request(
                "faults.writer", folder=str(copy.folder), seed=rng.randrange(1 << 32), wait=True, pause=0.02
            )
            numbers = [rng.randrange(1 << 32) for _ in range(5)]
            viewers = [Viewer(server, execution, copy, n, leaves=n % 2 == 0, slow=n % 3 == 0) for n in numbers]
            until(copy.size, "the writer prints")
            kills.kill_again_and_again(server, rng, A_ROUND, copy)
            viewers.append(Viewer(server, execution, copy, seed))
            copy.stop()
            check_all(server, execution, copy, viewers)
            assert server.ended(execution)["status"] == "succeeded"
        print(f"{server.kills} kills")


def test_every_execution_ends_over_kills_of_servers_and_keepers_at_any_moment(
    tmp_path: Path, fault_packs: Path
) -> None:
    rng = random.Random(kills.new_seed())
    over = time.monotonic() + MINUTES * 60 / 3
    with mortal_server(tmp_path, fault_packs) as server:
        while time.monotonic() < over and server.kills < MOST_KILLS:
            pairs = []
            for _ in range(rng.randrange(1, 12)):
                folder = server.folder()
                lines = rng.choice((0, 20, 20))
                pairs.append((server.request("faults.once", folder=str(folder), lines=lines), folder, lines))
            chosen = rng.choice([pair for pair in pairs if pair[2]] or pairs)
            if chosen[2]:
                reach(server, chosen[0], rng.choice(list(MOMENTS)))
            victims = rng.choice(("server", "keeper", "both"))
            if victims != "server":
                for keeper in server.keepers():
                    keeper.kill()
            if victims != "keeper":
                server.lives(rng.random() * 0.02)
                server.kill()
                server.again()
            found = {outcome(server, execution, folder, lines) for execution, folder, lines in pairs}
            assert found <= ({"failed"} if victims == "server" else {"failed", "abandoned"})


def test_a_thousand_viewers_of_one_action_survive_a_restart(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        crowd_of_viewers(server, VIEWERS, 20_000)


def test_processes_that_die_at_named_points_in_any_order_lose_nothing(tmp_path: Path, fault_packs: Path) -> None:
    rng = random.Random(kills.new_seed())
    over = time.monotonic() + MINUTES * 60 / 6
    server = Armed(tmp_path, fault_packs)
    try:
        server.start()
        while time.monotonic() < over:
            point = rng.choice([*SERVER, *KEEPERS])
            if point in SERVER:
                server_dies(server, point)
            else:
                keeper_dies(server, point)
    finally:
        server.leave_nothing()


def test_lines_of_a_quiet_action_beside_eight_that_print_without_end(tmp_path: Path, fault_packs: Path) -> None:
    """How long they take is printed; that all of them come is asserted."""
    over = time.monotonic() + MINUTES * 60 / 10
    took: list[float] = []
    with mortal_server(tmp_path, fault_packs, SQUALL_ACTIONRUNNER_OUTPUT_LIMIT_BYTES="64 MiB") as server:
        floods = [server.request("faults.flood", password="not-in-the-output") for _ in range(8)]
        while time.monotonic() < over:
            with server.puppet() as (execution, strings), server.output(execution, format="sse") as stream:
                for number in range(100):
                    began = time.monotonic()
                    strings.say(b"line %d\n" % number)
                    stream.until(b"line %d\\n" % number)
                    took.append(time.monotonic() - began)
        for flood in floods:
            assert server.call("DELETE", f"/v1/executions/{flood}").status == 200
            assert server.ended(flood)["status"] == "canceled"
    took.sort()
    if took:
        print(f"{len(took)} lines, p50 {took[len(took) // 2] * 1000:.2f} ms, worst {took[-1] * 1000:.1f} ms")


def test_each_of_thousands_of_matches_has_one_execution_over_kills(tmp_path: Path, fault_packs: Path) -> None:
    rng = random.Random(kills.new_seed())
    with mortal_server(tmp_path, fault_packs, SQUALL_QUEUE_SUSPECT_SECONDS="0.2") as server:
        add_rules(server)
        senders = Senders(server, WEBHOOKS)
        with senders.sending():
            kill_at_random(senders, rng, WEBHOOKS // 250, WEBHOOKS)
        settled(server)
        check_once(server, [senders], ordered=False)
