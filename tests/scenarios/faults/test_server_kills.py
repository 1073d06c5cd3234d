"""kill -9 of the server again and again, at any moment: viewers resume, the action notices nothing."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server, positions
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

from squall.core.timestamp import from_iso
from squall.testing.waiting import until

# A few here; `make soak` kills for as long as it lasts.
KILLS = 12


def new_seed() -> int:
    """The seed of a run, printed so that the run can be repeated."""
    seed = int(os.environ.get("SQUALL_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"SQUALL_FAULT_SEED={seed}")
    return seed


def kill_again_and_again(server: Mortal, rng: random.Random, kills: int, copy: Copy) -> None:
    """Kills at a random time after the start, and starts again; every other one may die before it is ready."""
    for number in range(kills):
        if number % 2:
            # After some more output, so that the writer is not always in the same state.
            copy.grows(rng.randrange(60_000))
            server.lives(rng.random() * 0.05)
            server.kill()
            server.begin()
        else:
            server.lives(rng.random() * 0.25)
            server.kill()
            server.again()
    if kills % 2 == 0:
        server.ready()


@pytest.mark.timeout(300)
def test_viewers_see_every_byte_once_over_many_kills_of_the_server(tmp_path: Path, fault_packs: Path) -> None:
    seed = new_seed()
    rng = random.Random(seed)
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        requested = time.time()
        execution = server.request("faults.writer", folder=str(copy.folder), seed=seed, wait=True, pause=0.012)
        viewers = [
            Viewer(server, execution, copy, seed + 1),
            Viewer(server, execution, copy, seed + 2, leaves=True),
            Viewer(server, execution, copy, seed + 3, slow=True),
        ]
        until(copy.size, "the writer prints")
        for part in range(3):
            kill_again_and_again(server, rng, KILLS // 3, copy)
            # One who comes later, and must see it all as well.
            viewers.append(Viewer(server, execution, copy, seed + 10 + part, leaves=part == 0, slow=part == 1))
        assert server.status(execution) == "running"
        copy.stop()
        began, ended, count = copy.finished()
        check_all(server, execution, copy, viewers)
        document = server.ended(execution)
        assert (document["status"], document["result"]["return_code"]) == ("succeeded", 0)
        assert ended - began <= document["elapsed_seconds"] + 0.01
        assert document["elapsed_seconds"] <= time.time() - requested
        assert server.kills >= KILLS
        assert viewers[0].visits > KILLS // 4
        numbers = positions(copy.text("stdout")) + positions(copy.text("stderr"))
        assert set(range(1, count + 1)) <= set(numbers)


def test_an_action_that_ends_while_the_server_is_away_has_its_own_time_and_code(
    tmp_path: Path, fault_packs: Path
) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        requested = time.time()
        execution = server.request("faults.writer", folder=str(copy.folder), seed=1, records=20, wait=True, code=9)
        until(copy.size, "the writer prints")
        server.kill()
        copy.stop()
        began, ended, _ = copy.finished()
        until(lambda: server.logged(execution, "end"), "the keeper logs the end")
        back = time.time()
        server.again()
        document = server.ended(execution)
        assert (document["status"], document["result"]["return_code"]) == ("failed", 9)
        check_all(server, execution, copy, [Viewer(server, execution, copy, 2)])
        # When the server came back says nothing about how long the action took.
        assert ended - 0.01 <= from_iso(document["end_timestamp"], "end") / 1e6 <= back
        assert ended - began - 0.01 <= document["elapsed_seconds"] <= back - requested
