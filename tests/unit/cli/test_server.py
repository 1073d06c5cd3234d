from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Holds the data directory as a server does, until SIGTERM; {slow} seconds later it lets go.
HOLDER = """
import fcntl, json, os, signal, sys, time
directory, deaf = sys.argv[1], sys.argv[2] == "deaf"
lock = open(directory + "/server.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid()))
lock.flush()
told = {"pid": os.getpid(), "version": "1.2.3", "started_at": "2026-01-02T03:04:05Z", "url": "http://127.0.0.1:7",
        "api_url": "http://127.0.0.1:7/api/v1", "auth_url": "http://127.0.0.1:7/auth", "stream_url": "http://h/a b"}
if sys.argv[3] == "ready":
    open(directory + "/server.json", "w").write(json.dumps(told))
signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda *_: sys.exit(0))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process that holds the data directory `tmp_path`."""
    started: list[subprocess.Popen[bytes]] = []

    def start(how: str = "obedient", ready: str = "ready") -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path), how, ready], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_status_of_a_running_server(tmp_path: Path, hold: Callable[..., Any], run: Callable[..., Any]) -> None:
    process = hold()
    got = run("status", "--data-dir", str(tmp_path))
    assert got.status == 0
    assert got.out.decode() == (
        f"running as process {process.pid} at http://127.0.0.1:7, version 1.2.3, since 2026-01-02T03:04:05Z "
        f"(data directory {tmp_path})\n"
    )
    told = json.loads(run("--data-dir", str(tmp_path), "status", "-j").out)
    assert told["running"] is True and told["pid"] == process.pid


def test_the_status_without_a_server_exits_with_3(tmp_path: Path, run: Callable[..., Any]) -> None:
    got = run("status", "--data-dir", str(tmp_path))
    assert got == (3, f"not running (data directory {tmp_path})\n".encode(), b"")
    assert json.loads(run("status", "--data-dir", str(tmp_path), "-j").out)["running"] is False


def test_a_server_that_starts_is_running_but_not_ready(
    tmp_path: Path, hold: Callable[..., Any], run: Callable[..., Any]
) -> None:
    hold(ready="not")
    got = run("status", "--data-dir", str(tmp_path))
    assert got.status == 0 and b"not ready" in got.out
    got = run("env", "--data-dir", str(tmp_path))
    assert got.status == 2 and b"not ready" in got.err


def test_env_prints_three_lines_for_a_shell(
    tmp_path: Path, hold: Callable[..., Any], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold()
    monkeypatch.setenv("SQUALL_DATA_DIR", str(tmp_path))
    assert run("env").out.decode().splitlines() == [
        "export ST2_API_URL=http://127.0.0.1:7/api/v1",
        "export ST2_AUTH_URL=http://127.0.0.1:7/auth",
        "export ST2_STREAM_URL='http://h/a b'",
    ]


def test_env_without_a_server_says_how_to_start_one(tmp_path: Path, run: Callable[..., Any]) -> None:
    got = run("env", "--data-dir", str(tmp_path))
    line = f"squall: no server runs in {tmp_path}: start one with `squall serve --data-dir {tmp_path}`\n"
    assert got == (2, b"", line.encode())


def test_stop_returns_when_the_server_has_let_go(
    tmp_path: Path, hold: Callable[..., Any], run: Callable[..., Any]
) -> None:
    process = hold()
    assert run("stop", "--data-dir", str(tmp_path)) == (0, b"stopped\n", b"")
    assert process.wait(5) == 0
    assert run("status", "--data-dir", str(tmp_path)).status == 3


def test_stop_tells_when_the_server_does_not_end(
    tmp_path: Path, hold: Callable[..., Any], run: Callable[..., Any]
) -> None:
    process = hold("deaf")
    got = run("stop", "--data-dir", str(tmp_path), "--timeout", "0.1")
    hint = "wait longer with --timeout, or see squall logs"
    message = f"squall: process {process.pid} has not ended after 0.1 seconds: {hint}\n"
    assert got == (2, b"", message.encode())


def test_stopping_nothing_is_no_failure(tmp_path: Path, run: Callable[..., Any]) -> None:
    got = run("stop", "--data-dir", str(tmp_path))
    assert got == (0, b"", f"no server runs in {tmp_path}\n".encode())
