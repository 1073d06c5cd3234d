"""kill -9 of the server again and again, at any moment: viewers resume, the action notices nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.scenarios.faults.mortal import Mortal, mortal_server, positions, until
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

KILLS = 50


def kill_again_and_again(server: Mortal, rng: random.Random, kills: int, copy: Copy) -> None:
    """Kills at a random time after the start, and starts again; some die before they are ready."""
    for number in range(kills):
        if number % 2:
            # After some more output than at the last time, so that the writer is not always in the same state.
            more = copy.size() + rng.randrange(60_000)
            until(lambda more=more: copy.size() >= more, "the writer goes on")
            server.lives(rng.random() * 0.05)
            server.kill()
            server.begin()
        else:
            server.lives(rng.random() * 0.5)
            server.kill()
            server.again()
    if server.process.stdout is not None and kills % 2 == 0:
        server.ready()


def test_viewers_see_every_byte_once_over_fifty_kills_of_the_server(tmp_path: Path, fault_packs: Path) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"SQUALL_FAULT_SEED={seed}")
    rng = random.Random(seed)
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        execution = server.request("faults.writer", folder=str(copy.folder), seed=seed, wait=True, pause=0.012, code=0)
        viewers = [Viewer(server, execution, copy, seed + 1), Viewer(server, execution, copy, seed + 2, leaves=True)]
        viewers.append(Viewer(server, execution, copy, seed + 3, slow=True))
        until(copy.size, "the writer prints")
        for part in range(5):
            kill_again_and_again(server, rng, KILLS // 5, copy)
            # One who comes later, and must see it all as well.
            viewers.append(Viewer(server, execution, copy, seed + 10 + part, leaves=part % 2 == 0, slow=part == 1))
        assert server.status(execution) == "running"
        copy.stop()
        began, ended, count = copy.finished()
        check_all(server, execution, copy, viewers)
        document = server.ended(execution)
        assert (document["status"], document["result"]["return_code"]) == ("succeeded", 0)
        assert ended - began <= document["elapsed_seconds"] < ended - began + 5
        assert server.kills >= KILLS
        assert viewers[0].visits > 10
        numbers = sorted(positions(copy.text("stdout")) + positions(copy.text("stderr")))
        assert set(range(1, count + 1)) <= set(numbers)
        [document] = [found for found in server.get("/v1/executions", limit=5) if found["id"] == execution]


def test_an_action_that_ends_while_the_server_is_away_has_its_own_time_and_code(
    tmp_path: Path, fault_packs: Path
) -> None:
    from squall.core.timestamp import from_iso

    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        execution = server.request("faults.writer", folder=str(copy.folder), seed=1, records=20, wait=True, code=9)
        until(copy.size, "the writer prints")
        server.kill()
        copy.stop()
        began, ended, _ = copy.finished()
        until(lambda: server.logged(execution, "end"), "the keeper logs the end")
        server.again()
        document = server.ended(execution)
        assert (document["status"], document["result"]["return_code"]) == ("failed", 9)
        check_all(server, execution, copy, [Viewer(server, execution, copy, 2)])
        # When the server came back says nothing about how long the action took.
        assert abs(from_iso(document["end_timestamp"], "end") / 1e6 - ended) < 0.25
        assert document["elapsed_seconds"] < ended - began + 1
