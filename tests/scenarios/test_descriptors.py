"""A server that is started with a low soft limit of descriptors."""

from __future__ import annotations

import contextlib
import resource
import socket
from pathlib import Path

from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server

SOFT, HARD = 128, 600
FREE = HARD // 2
"""The most connections at this hard limit: the other half is kept free."""


def test_connections_that_take_all_descriptors_keep_nobody_out_and_actions_have_their_own_limit(
    tmp_path: Path, packs: Path
) -> None:
    server = Server(tmp_path, "--packs-dir", str(packs), env=QUICK)
    server.program = ["prlimit", f"--nofile={SOFT}:{HARD}", *server.program]
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    silent: list[socket.socket] = []
    try:
        server.start()
        silent += [socket.create_connection(("127.0.0.1", server.port)) for _ in range(FREE * 2)]
        for each in silent:
            # The oldest have made room for the others.
            with contextlib.suppress(OSError):
                each.send(b"G")
        execution = server.shell("ulimit -Sn; ulimit -Hn")
        assert server.ended(execution)["result"]["stdout"] == f"{SOFT}\n{HARD}"
        errors = (tmp_path / "server.err").read_text()
        assert "Too many open files" not in errors
    finally:
        for each in silent:
            each.close()
        server.stop()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == own
