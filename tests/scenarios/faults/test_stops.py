"""A server that is asked to stop leaves its actions to the next one, or ends them if it was told to."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.scenarios.faults.mortal import mortal_server, with_argument
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

from squall.testing.waiting import until


def test_actions_go_on_over_stops_of_the_server_and_viewers_resume(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        execution = server.request("faults.writer", folder=str(copy.folder), seed=9, wait=True, pause=0.01)
        viewers = [Viewer(server, execution, copy, 1), Viewer(server, execution, copy, 2, slow=True)]
        until(copy.size, "the writer prints")
        keeper = server.keeper()
        for _ in range(2):
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            copy.grows(20_000)
            server.again()
            assert not any(viewer.ended for viewer in viewers)
        assert server.keeper().number == keeper.number
        copy.stop()
        check_all(server, execution, copy, viewers)
        document = server.ended(execution)
        assert document["status"] == "succeeded"
        assert [entry["status"] for entry in document["log"]] == ["requested", "scheduled", "running", "succeeded"]


def test_a_server_that_is_told_to_stop_its_actions_ends_even_those_that_resist(
    tmp_path: Path, fault_packs: Path
) -> None:
    grace = {"SQUALL_SERVER_SHUTDOWN_GRACE_SECONDS": "0.5"}
    with mortal_server(tmp_path, fault_packs, "--stop-actions", **grace) as server:
        copy = Copy(server.folder())
        token = f"stubborn-{server.mark}"
        writer = server.request("faults.writer", folder=str(copy.folder), seed=9, wait=True, pause=0.01)
        stubborn = server.request("faults.stubborn", token=token)
        brief = server.shell("read -rt 0.3 _ <> <(:); echo finished; exit 6")
        with server.output(stubborn) as stream:
            stream.until(b"ready\n")
        until(copy.size, "the writer prints")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert with_argument(token) == []
        assert server.of_action(writer) == []
        server.again()
        for execution in (writer, stubborn):
            assert server.get(f"/v1/executions/{execution}")["status"] == "canceled"
        assert server.get(f"/v1/executions/{brief}")["result"]["return_code"] == 6
        seen = Viewer(server, writer, copy, 1).result()
        assert seen.at == {stream: len(copy.text(stream)) for stream in ("stdout", "stderr")}
