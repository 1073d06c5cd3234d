"""A server that is not root's cancels what its actions started with sudo: it ends all of it, through sudo."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.scenarios.faults.mortal import Mortal, with_argument
from tests.scenarios.faults.pack import write_pack
from tests.tools import needed

from squall.testing.waiting import until

NAME = f"squall-test-{os.getpid()}"
KINDS = ("-leader", "-orphan", "-bare", "-child", "-daemon")


@pytest.fixture(scope="module")
def account() -> Iterator[pwd.struct_passwd]:
    """A new user who may become root by sudo without a password."""
    needed("sudo")
    if os.geteuid() != 0:
        pytest.skip("only root may make a user and let it use sudo")
    rule = Path("/etc/sudoers.d") / NAME
    subprocess.run([needed("useradd"), "--no-create-home", "--shell", "/bin/sh", NAME], check=True)
    try:
        rule.write_text(f"{NAME} ALL=(ALL) NOPASSWD: ALL\n")
        rule.chmod(0o440)
        yield pwd.getpwnam(NAME)
    finally:
        rule.unlink(missing_ok=True)
        subprocess.run([needed("userdel"), NAME], check=True, capture_output=True)


@pytest.fixture
def server(account: pwd.struct_passwd) -> Iterator[Mortal]:
    """A server of that user's."""
    # It may read everything, as Python and the project often lie in root's home; that is all it may.
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    becomes = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *reads, "--"]
    home = Path(tempfile.mkdtemp(prefix="squall-sudo-"))
    try:
        write_pack(home / "packs")
        for path in (home, home / "packs"):
            os.chown(path, account.pw_uid, account.pw_gid)
        made = Mortal(home, home / "packs")
        made.program = [*becomes, *made.program]
        try:
            made.start()
            yield made
        finally:
            made.leave_nothing()
    finally:
        shutil.rmtree(home)


def all_there(token: str) -> bool:
    return all(with_argument(token + kind) for kind in KINDS)


def test_nothing_is_left_of_a_sudoed_action_that_resists_a_cancel_or_a_timeout(server: Mortal) -> None:
    started = {}
    for name, timeout in (("cancelled", 600), ("timed", 3)):
        token = f"{name}-{server.mark}"
        execution = server.request("faults.stubborn", token=token, sudo=True, timeout=timeout)
        with server.output(execution) as stream:
            stream.until(b" ready")
        until(partial(all_there, token), "all processes are there")
        roots = [pid for pid in with_argument(token) if Path(f"/proc/{pid}").stat().st_uid == 0]
        assert len(roots) >= len(KINDS)
        started[execution] = token
    cancelled, timed = started
    assert server.call("DELETE", f"/v1/executions/{cancelled}").status == 200
    for execution, status in ((cancelled, "canceled"), (timed, "timeout")):
        assert server.ended(execution)["status"] == status
        assert with_argument(started[execution]) == []
        assert server.of_action(execution) == []


def test_nothing_is_left_of_a_sudoed_action_whose_keeper_died(server: Mortal) -> None:
    token = f"orphaned-{server.mark}"
    execution = server.request("faults.stubborn", token=token, sudo=True)
    with server.output(execution) as stream:
        stream.until(b" ready")
    until(lambda: with_argument(token + "-daemon"), "all processes are there")
    server.keeper().kill()
    assert server.ended(execution)["status"] == "abandoned"
    with contextlib.suppress(AssertionError):
        until(lambda: not with_argument(token), "they go")
    assert with_argument(token) == []
