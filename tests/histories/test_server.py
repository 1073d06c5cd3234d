"""Clients of a real server that is killed: what they were answered fits one order of all that happened."""

from __future__ import annotations

from pathlib import Path

from tests.histories.rounds import play
from tests.scenarios.faults.mortal import mortal_server
from tests.scenarios.faults.test_server_kills import new_seed


def test_calls_and_answers_are_linearizable_over_kills_of_server_and_keepers(tmp_path: Path, packs: Path) -> None:
    seed = new_seed()
    with mortal_server(tmp_path, packs) as server:
        played = play(server, seed, seconds=8.0)
    print(played)
    assert not played.wrong, "\n".join(played.wrong)
    assert played.kills > 0
    assert played.executions > 0
