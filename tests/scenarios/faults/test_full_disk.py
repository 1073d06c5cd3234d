"""A disk that is full holds actions back; nothing of what they print is lost, and the server goes on answering."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

from squall.testing.waiting import until

MIB = 1 << 20
SMALL, LARGE, FLOOR = 48, 400, 16

Resize = Callable[[int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Resize]:
    """A small disk where the server's data will be; called with a number of MiB it has another size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}m,mode=0700", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")

    def resize(mebibytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={mebibytes}m", str(place)], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def until_it_waits(server: Mortal, execution: str) -> None:
    """Waits until an execution's document says that it waits for the disk."""

    def says_so() -> bool:
        return "disk" in server.get(f"/v1/executions/{execution}").get("waiting", "")

    until(says_so, "the execution says that it waits for the disk", pause=0.05)


def test_output_waits_at_the_free_space_floor_and_goes_on_when_there_is_room(
    tmp_path: Path, fault_packs: Path, disk: Resize
) -> None:
    with mortal_server(tmp_path, fault_packs, SQUALL_JOURNAL_FREE_SPACE_FLOOR_BYTES=f"{FLOOR} MiB") as server:
        folder = tmp_path / "action"
        folder.mkdir()
        copy = Copy(folder)
        execution = server.request("faults.writer", folder=str(folder), seed=7, wait=True)
        viewers = [Viewer(server, execution, copy, 1), Viewer(server, execution, copy, 2, leaves=True)]
        until_it_waits(server, execution)
        space = os.statvfs(tmp_path / "data")
        assert space.f_bavail * space.f_frsize > MIB
        # The database has its room: whatever prints nothing runs and ends.
        assert server.ended(server.request("core.noop"))["status"] == "succeeded"
        assert server.ended(server.shell("true"))["status"] == "succeeded"
        held = copy.size()
        server.kill()
        server.again()
        until_it_waits(server, execution)
        assert copy.size() < held + 3 * MIB
        disk(LARGE)
        copy.grows(8 * MIB)
        copy.stop()
        check_all(server, execution, copy, viewers)
        document = server.ended(execution)
        assert document["status"] == "succeeded"
        assert "waiting" not in document


def test_a_disk_without_one_free_byte_loses_nothing_and_damages_nothing(
    tmp_path: Path, fault_packs: Path, disk: Resize
) -> None:
    with mortal_server(tmp_path, fault_packs, SQUALL_JOURNAL_FREE_SPACE_FLOOR_BYTES="1") as server:
        folders = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            os.mkfifo(tmp_path / name / "gate")
            folders.append(tmp_path / name)
        gates = [os.open(folder / "gate", os.O_RDWR) for folder in folders]
        silent = server.shell(f"read -r _ <{folders[0]}/gate; seq 100000; exit 4")
        talking = server.request("faults.gated", gate=str(folders[1] / "gate"), name="it", lines=50_000)
        with server.output(talking) as stream:
            stream.until(b"it waits\n")
        until(lambda: server.logged(silent, "pid"), "the silent one runs")
        ballast = fill(tmp_path / "data")
        for gate in gates:
            os.write(gate, b"\n")
            os.close(gate)
        for execution in (silent, talking):
            until_it_waits(server, execution)
        assert server.get("/healthz")["status"] == "alive"
        assert server.get("/v1/executions", limit=5)
        with server.output(talking, follow="false", format="raw") as stream:
            assert stream.rest().startswith(b"it waits\n")
        ballast.unlink()
        documents = [server.ended(execution) for execution in (silent, talking)]
        assert [document["result"]["return_code"] for document in documents] == [4, 0]
        with server.output(silent, format="raw") as stream:
            assert stream.rest() == b"".join(b"%d\n" % number for number in range(1, 100_001))
        with server.output(talking, format="raw") as stream:
            wanted = "".join(f"it line {number}\n" for number in range(1, 50_001))
            assert stream.rest() == f"it waits\n{wanted}".encode()


def fill(place: Path) -> Path:
    """Takes all the room there is; gives the file that has it."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    space = os.statvfs(place)
    assert space.f_bavail == 0
    return ballast


def ready(server: Mortal) -> int:
    """The status of /readyz."""
    return server.call("GET", "/readyz").status


def test_a_server_starts_without_one_free_byte_serves_what_it_has_and_goes_on_when_there_is_room(
    tmp_path: Path, fault_packs: Path, disk: Resize
) -> None:
    with mortal_server(tmp_path, fault_packs, SQUALL_JOURNAL_FREE_SPACE_FLOOR_BYTES="1") as server:
        before = server.shell("echo kept")
        assert server.ended(before)["result"]["stdout"] == "kept"
        server.kill()
        ballast = fill(tmp_path / "data")
        server.again()
        reply = server.call("GET", "/readyz")
        assert reply.status == 503
        assert "cannot write" in reply.json["faultstring"]
        assert server.get(f"/v1/executions/{before}")["result"]["stdout"] == "kept"
        body = {"action": "core.local", "parameters": {"cmd": "true"}}
        assert server.call("POST", "/v1/executions", body).status == 503
        ballast.unlink()
        until(lambda: ready(server) == 200, "the server is ready", pause=0.05)
        assert server.ended(server.shell("echo after"))["result"]["stdout"] == "after"
