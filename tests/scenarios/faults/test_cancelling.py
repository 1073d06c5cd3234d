"""Cancelled and timed-out actions leave no process behind, whatever these do to stay."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.faults.mortal import Mortal, mortal_server, with_argument

from squall.testing.waiting import until

OTHER = "nobody"


def stubborn(server: Mortal, name: str, **parameters: Any) -> tuple[str, str]:
    """An action that resists, with all its processes there: its execution, and the token they carry."""
    token = f"{name}-{server.mark}"
    execution = server.request("faults.stubborn", token=token, **parameters)
    with server.output(execution) as stream:
        stream.until(b" ready")
    # The script and the five kinds of processes that it leaves.
    until(lambda: len(list(with_argument(token))) >= 6, "all processes are there")
    return execution, token


def assert_gone(server: Mortal, execution: str, token: str, status: str) -> None:
    document = server.ended(execution)
    assert document["status"] == status
    assert with_argument(token) == []
    assert server.of_action(execution) == []
    assert document["end_timestamp"]


def test_nothing_is_left_of_actions_that_resist_a_cancel_or_a_timeout(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        timed = stubborn(server, "timed", timeout=2)
        cancelled = [stubborn(server, name) for name in ("one", "two")]
        terminal = stubborn(server, "terminal", pty=True)
        bystander = server.shell("echo here; exec sleep 7777")
        for execution, _ in [*cancelled, terminal]:
            assert server.call("DELETE", f"/v1/executions/{execution}").status == 200
        # A server that is killed after a cancel was asked for changes nothing about it.
        server.kill()
        server.again()
        for pair in [*cancelled, terminal]:
            assert_gone(server, *pair, "canceled")
        assert_gone(server, *timed, "timeout")
        assert server.of_action(bystander)
        assert server.get(f"/v1/executions/{bystander}")["status"] == "running"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runuser"), reason="only root may run actions as others")
def test_nothing_is_left_of_actions_of_another_user_either(
    tmp_path_factory: pytest.TempPathFactory, fault_packs: Path
) -> None:
    home = tmp_path_factory.mktemp("theirs")
    opened = [path for path in fault_packs.parents if path.owner() == "root" and path.stat().st_mode & 0o777 == 0o700]
    for path in opened:
        # The other user reads its script below the tests' own folders.
        path.chmod(0o711)
    try:
        with mortal_server(home, fault_packs, SQUALL_ACTIONRUNNER_SYSTEM_USER=OTHER) as server:
            timed = stubborn(server, "timed", timeout=2)
            cancelled = stubborn(server, "cancelled")
            theirs = pwd.getpwnam(OTHER).pw_uid
            assert all(Path(f"/proc/{pid}").stat().st_uid == theirs for pid in with_argument(f"{cancelled[1]}-"))
            assert server.call("DELETE", f"/v1/executions/{cancelled[0]}").status == 200
            assert_gone(server, *cancelled, "canceled")
            assert_gone(server, *timed, "timeout")
    finally:
        for path in opened:
            path.chmod(0o700)
