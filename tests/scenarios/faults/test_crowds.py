"""Many at once: actions, viewers, and neighbours that print without end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.scenarios.faults.mortal import Mortal, mortal_server
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

from squall.testing.waiting import until

ACTIONS, VIEWERS, FLOODS, LINES = 100, 200, 8, 50


def crowd_of_viewers(server: Mortal, count: int, size: int) -> None:
    """Many follow one action, and see all of it over a restart of the server."""
    copy = Copy(server.folder())
    execution = server.request("faults.writer", folder=str(copy.folder), seed=8, wait=True, pause=count / 400)
    viewers = [Viewer(server, execution, copy, number) for number in range(count)]
    until(lambda: all(viewer.last_id for viewer in viewers), "everybody sees something")
    server.kill()
    server.again()
    copy.grows(size)
    copy.stop()
    check_all(server, execution, copy, viewers)
    assert all(viewer.visits >= 2 for viewer in viewers)
    assert server.ended(execution)["status"] == "succeeded"


def test_a_hundred_actions_at_once_and_two_hundred_viewers_survive_a_restart(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs, SQUALL_ACTIONRUNNER_WORKERS=str(ACTIONS + 5)) as server:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        held = os.open(gate, os.O_RDWR)
        executions = [server.request("faults.gated", gate=str(gate), name=f"n{n}") for n in range(ACTIONS)]
        until(lambda: all(server.logged(execution, "pid") for execution in executions), "all run", pause=0.2)
        crowd_of_viewers(server, VIEWERS, 20_000)
        running = server.call("GET", "/v1/executions?status=running&limit=1").headers["x-total-count"]
        assert int(running) == ACTIONS
        os.write(held, b"\n" * ACTIONS)
        for number, execution in enumerate(executions):
            assert server.ended(execution)["status"] == "succeeded"
            with server.output(execution, format="raw") as stream:
                lines = [f"n{number} waits", *(f"n{number} line {line}" for line in range(1, 6))]
                assert stream.rest().decode().splitlines() == lines
        os.close(held)


def test_every_line_of_a_quiet_action_arrives_beside_eight_that_print_without_end(
    tmp_path: Path, fault_packs: Path
) -> None:
    limit = {"SQUALL_ACTIONRUNNER_OUTPUT_LIMIT_BYTES": "16 MiB"}
    with mortal_server(tmp_path, fault_packs, **limit) as server:
        # Half of them are masked, which costs more than reading.
        secrets = [{"password": "not-in-the-output"} if number % 2 else {} for number in range(FLOODS)]
        floods = [server.request("faults.flood", **secret) for secret in secrets]
        for flood in floods:
            with server.output(flood) as stream:
                stream.until(b"without end\n")
        with server.puppet() as (execution, strings):
            with server.output(execution, format="sse") as stream:
                for number in range(LINES):
                    strings.say(b"line %d\n" % number)
                    stream.until(b"line %d\\n" % number)
            with server.output(execution, format="raw", follow="false") as stream:
                assert stream.rest() == b"".join(b"line %d\n" % number for number in range(LINES))
        for flood in floods:
            assert server.get(f"/v1/executions/{flood}")["status"] == "running"
            assert server.call("DELETE", f"/v1/executions/{flood}").status == 200
        for flood in floods:
            assert server.ended(flood)["status"] == "canceled"
            assert server.of_action(flood) == []
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
