"""System calls of the keeper that fail: its actions wait, say so, and run when the calls succeed again."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server

from squall.testing.waiting import until

FORKS = "vfork,fork,clone,clone3"


@contextmanager
def failing(keeper: int, calls: str, error: str) -> Iterator[None]:
    """All of these system calls of a process, its threads and what it starts fail with the error while the
    context lasts."""
    if (strace := shutil.which("strace")) is None:
        pytest.skip("there is no strace here")
    words = [strace, "-f", "-o", "/dev/null", "-e", f"inject={calls}:error={error}", "-p", str(keeper)]
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    try:
        if b"attached" not in tracer.stderr.readline():
            pytest.skip("strace may not attach to a process here")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        tracer.stderr.close()


def waits(server: Mortal, execution: str) -> bool:
    """Whether an execution's document says that its process cannot be started."""
    return "cannot be started now" in server.get(f"/v1/executions/{execution}").get("waiting", "")


@pytest.mark.parametrize(
    ("calls", "error"), [("pipe2", "EMFILE"), ("pipe2", "ENFILE"), (FORKS, "EAGAIN"), (FORKS, "ENOMEM")]
)
def test_a_process_that_cannot_be_made_now_is_made_later(
    tmp_path: Path, fault_packs: Path, calls: str, error: str
) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        assert server.ended(server.shell("echo first"))["status"] == "succeeded"
        with failing(server.keeper().number, calls, error):
            execution = server.shell("echo second")
            canceled = server.shell("echo third")
            until(lambda: waits(server, execution) and waits(server, canceled), "both say that they wait", pause=0.05)
            server.call("DELETE", f"/v1/executions/{canceled}")
        ended = server.ended(execution)
        assert (ended["status"], ended["result"]["stdout"]) == ("succeeded", "second")
        assert "waiting" not in ended
        assert server.ended(canceled)["status"] == "canceled"


@pytest.mark.parametrize(
    ("calls", "error", "reason"),
    [
        ("fdatasync", "EIO", "its end waits for the disk: Input/output error"),
        ("fdatasync", "ENOSPC", "its end waits for the disk: No space left on device"),
        ("pwritev,pwritev2", "EIO", "its output waits for the disk: Input/output error"),
        ("pwritev,pwritev2", "EROFS", "its output waits for the disk: Read-only file system"),
    ],
)
def test_an_end_is_told_when_the_disk_has_it_and_not_before(
    tmp_path: Path, fault_packs: Path, calls: str, error: str, reason: str
) -> None:
    with mortal_server(tmp_path, fault_packs) as server:

        def is_held() -> bool:
            return reason in server.get(f"/v1/executions/{execution}").get("waiting", "")

        with failing(server.keeper().number, calls, error):
            execution = server.shell("echo kept; exit 3")
            until(is_held, "it waits", pause=0.05)
            server.kill()
            server.again()
            until(is_held, "it waits for the next server too", pause=0.05)
            assert server.status(execution) == "running"
        ended = server.ended(execution)
        assert (ended["status"], ended["result"]["stdout"], ended["result"]["return_code"]) == ("failed", "kept", 3)
