"""kill -9 of the server while it seals, moves and removes output: nothing is lost, nothing is left behind."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from tests.scenarios.faults.mortal import Mortal, mortal_server

from squall.testing.waiting import until

KILLS = 6
BUSY = {
    "SQUALL_STORAGE_SEAL_AFTER_SECONDS": "0.001",
    "SQUALL_STORAGE_JANITOR_SECONDS": "0.02",
    "SQUALL_STORAGE_BLOBS": "far",
    "SQUALL_STORAGE_MOVE_AFTER_DAYS": "0",
}


def printed(server: Mortal, execution: str) -> bytes:
    with server.output(execution, format="raw") as stream:
        return stream.rest()


def settled(server: Mortal, execution: str) -> bool:
    """Whether the output of an execution is where it stays: a row, or an object."""
    found = server.get(f"/v1/executions/{execution}/output/verify")
    assert found["ok"], found
    return found["recorded_digest"] is not None and found["place"] in ("row", "blob")


def left(server: Mortal, execution: str) -> list[str]:
    return [path.relative_to(server.data_dir).as_posix() for path in server.data_dir.rglob(f"{execution}*")]


def test_output_survives_kills_while_it_is_sealed_and_moved_and_a_purge_leaves_nothing(
    tmp_path: Path, fault_packs: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    turn = threading.Event()
    with mortal_server(tmp_path, fault_packs, **BUSY) as server:
        wanted: dict[str, bytes] = {}
        for round_ in range(KILLS):
            for number in range(6):
                lines = 30_000 if number % 2 else 10
                execution = server.shell(f"seq {round_} {round_ + lines}")
                wanted[execution] = b"".join(b"%d\n" % n for n in range(round_, round_ + lines + 1))
            server.ended(execution)
            turn.wait(chance.random() * 0.15)
            server.kill()
            server.again()
        for execution, text in wanted.items():
            server.ended(execution)
            assert printed(server, execution) == text
            until(lambda execution=execution: settled(server, execution), "it is sealed or moved")  # type: ignore[misc]
            assert printed(server, execution) == text
            assert not [name for name in left(server, execution) if not name.startswith("far/")]

        purging = threading.Thread(target=server.squall, args=("storage", "purge", "--older-than", "0s"))
        purging.start()
        turn.wait(0.25 + chance.random() * 0.2)
        server.kill()
        purging.join()
        server.again()
        assert server.squall("storage", "purge", "--older-than", "0s").status == 0
        until(lambda: not any(left(server, execution) for execution in wanted), "nothing is left", pause=0.05)
        for execution in wanted:
            assert server.call("GET", f"/v1/executions/{execution}/output").status == 404
