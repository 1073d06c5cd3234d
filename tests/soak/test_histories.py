"""Histories of clients over kills of server and keepers, for SQUALL_SOAK_MINUTES: each round is a new server, so that
histories stay short enough to check."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.histories.planted import PLANTS, program
from tests.histories.recording import UNEXPECTED
from tests.histories.rounds import play
from tests.scenarios.faults.mortal import Mortal, mortal_server
from tests.scenarios.faults.test_server_kills import new_seed

MINUTES = float(os.environ.get("SQUALL_SOAK_MINUTES") or 0)
A_ROUND = 15.0
"""Seconds."""
MOST_ROUNDS = 10
"""The rounds in which a planted fault must be found."""

pytestmark = pytest.mark.timeout(MINUTES * 60 + 900)


def test_thousands_of_calls_are_linearizable_over_kills(tmp_path: Path, packs: Path) -> None:
    rng = random.Random(new_seed())
    until = time.monotonic() + MINUTES * 60 / 2
    rounds = executions = calls = kills = 0
    while time.monotonic() < until or not rounds:
        seed = rng.randrange(1 << 32)
        home = tmp_path / str(rounds)
        home.mkdir()
        with mortal_server(home, packs) as server:
            played = play(server, seed, A_ROUND)
        assert not played.wrong, f"round {seed}:\n" + "\n".join(played.wrong)
        rounds, executions = rounds + 1, executions + played.executions
        calls, kills = calls + played.calls, kills + played.kills
    print(f"{rounds} rounds, {executions} executions, {calls} calls and reads, {kills} kills")


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(plant: str, tmp_path: Path, packs: Path) -> None:
    rng = random.Random(new_seed())
    for number in range(1, MOST_ROUNDS + 1):
        home = tmp_path / str(number)
        home.mkdir()
        server = Mortal(home, packs)
        server.program = program(plant)
        try:
            server.start()
            played = play(server, rng.randrange(1 << 32), A_ROUND)
        finally:
            server.leave_nothing()
        # An answer that is wrong by itself, such as a 404 to a request, needs no history to be seen.
        wrong = [text for text in played.wrong if not text.startswith(UNEXPECTED)]
        if wrong:
            print(f"{plant}: found in round {number}\n{wrong[0]}")
            return
    raise AssertionError(f"{plant}: not found in {MOST_ROUNDS} rounds")
