"""kill -9 at chosen moments: every execution ends, none runs twice, and none is lost without a reason."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server
from tests.scenarios.live.server import FINAL

from squall.testing.waiting import until

LINES = 20

Moment = Callable[[Mortal, str], object]

MOMENTS: dict[str, Moment] = {
    "the request was answered": lambda server, execution: True,
    "its start was logged": lambda server, execution: server.logged(execution, "start"),
    "its pid was logged": lambda server, execution: server.logged(execution, "pid"),
    "its end was logged": lambda server, execution: server.logged(execution, "end"),
    "the database said running": lambda server, execution: server.status(execution) not in ("requested", "scheduled"),
    "the database said failed": lambda server, execution: server.status(execution) in FINAL,
    "the status record was in the journal": lambda server, execution: (
        b'{"status":"failed"}' in server.journal(execution)
    ),
}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory, fault_packs: Path) -> Iterator[Mortal]:
    with mortal_server(tmp_path_factory.mktemp("moments"), fault_packs) as server:
        yield server


def reach(server: Mortal, execution: str, moment: str) -> None:
    """Waits for a moment in the life of an execution, without a pause that would miss it."""
    until(lambda: MOMENTS[moment](server, execution), moment, pause=0)


def outcome(server: Mortal, execution: str, folder: Path, lines: int = LINES) -> str:
    """The status of an execution of `once` that has ended, when everything else fits it."""
    wanted = "".join(f"line {number}\n" for number in range(1, lines + 1))
    document = server.ended(execution)
    starts = (folder / "starts").read_text().split() if (folder / "starts").exists() else []
    assert len(starts) <= 1
    with server.output(execution, format="raw") as stream:
        printed = stream.rest().decode()
    if document["status"] == "failed":
        assert document["result"].get("return_code") == 3, document
        assert printed == wanted
        assert len(starts) == 1
    else:
        assert document["status"] == "abandoned"
        assert "keeper" in document["result"]["error"]
        assert wanted.startswith(printed)
    [*_, last] = server.tail(execution)
    assert last.body["status"] == document["status"]
    return str(document["status"])


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_action_runs_once_and_whole_when_the_server_is_killed_when(mortal: Mortal, moment: str) -> None:
    folders = [mortal.folder() for _ in range(4)]
    executions = [mortal.request("faults.once", folder=str(folder)) for folder in folders]
    reach(mortal, executions[-1], moment)
    mortal.kill()
    mortal.again()
    assert {outcome(mortal, *pair) for pair in zip(executions, folders, strict=True)} == {"failed"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_action_ends_with_its_outcome_or_a_reason_when_the_keeper_is_killed_when(
    mortal: Mortal, moment: str
) -> None:
    folders = [mortal.folder() for _ in range(4)]
    keeper = until(mortal.keepers, "there is a keeper")[0]
    executions = [mortal.request("faults.once", folder=str(folder)) for folder in folders]
    reach(mortal, executions[-1], moment)
    keeper.kill()
    found = {outcome(mortal, *pair) for pair in zip(executions, folders, strict=True)}
    assert found <= {"failed", "abandoned"}
    # What comes next has a new keeper.
    folder = mortal.folder()
    assert outcome(mortal, mortal.request("faults.once", folder=str(folder)), folder) == "failed"


def test_what_was_given_to_a_keeper_that_never_read_it_does_not_run_for_ever(mortal: Mortal) -> None:
    keeper = until(mortal.keepers, "there is a keeper")[0]
    keeper.signal(19)
    folder = mortal.folder()
    execution = mortal.request("faults.once", folder=str(folder))
    until(lambda: mortal.status(execution) == "running", "it is said to run")
    keeper.kill()
    # Nothing of it was begun, so it may run now; it may also be given up.
    assert outcome(mortal, execution, folder) in ("failed", "abandoned")


def test_leftovers_are_killed_even_if_the_keeper_died_before_it_logged_their_pid(
    tmp_path: Path, fault_packs: Path
) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        execution = server.shell("echo begun; exec sleep 7777")
        with server.output(execution) as stream:
            stream.until(b"begun\n")
        assert server.of_action(execution)
        server.kill()
        server.keeper().kill()
        # The state that a keeper leaves when it is killed between starting a process and saying so.
        [log] = server.run_logs()
        log.write_bytes(b"".join(line for line in log.read_bytes().splitlines(True) if b'"log":"pid"' not in line))
        server.again()
        assert server.ended(execution)["status"] == "abandoned"
        assert server.of_action(execution) == []


def test_a_server_starts_although_a_keeper_dies_while_it_is_being_greeted(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        execution = server.shell("exec sleep 7777")
        until(lambda: server.logged(execution, "pid"), "it runs")
        keeper = server.keeper()
        keeper.signal(19)
        server.kill()
        server.begin()
        until(lambda: connected(server) >= 3, "the server has connected to the keeper")
        keeper.kill()
        server.ready()
        assert server.ended(execution)["status"] == "abandoned"
        assert server.of_action(execution) == []


def connected(server: Mortal) -> int:
    """How many ends of local sockets the server has; its event loop has two for itself."""
    inodes = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    links = set()
    for entry in Path(f"/proc/{server.process.pid}/fd").glob("*"):
        try:
            links.add(os.readlink(entry))
        except OSError:
            continue
    return len(links & {f"socket:[{inode}]" for inode in inodes})


def test_keeper_and_server_killed_together_leave_nothing_that_runs(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        token = f"stubborn-{server.mark}"
        execution = server.request("faults.stubborn", token=token)
        quick = [(folder, server.request("faults.once", folder=str(folder))) for folder in [server.folder()]]
        with server.output(execution) as stream:
            stream.until(b"ready\n")
        assert server.of_action(execution)
        threads = [threading.Thread(target=one) for one in (server.kill, server.keeper().kill)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.again()
        document = server.ended(execution)
        assert document["status"] == "abandoned"
        assert "keeper" in document["result"]["error"]
        assert server.of_action(execution) == []
        for folder, other in quick:
            outcome(server, other, folder)
        assert server.ended(server.shell("echo still there"))["result"]["stdout"] == "still there"
