from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from types import ModuleType
from typing import Any

RECORDS = [("stdout", b"out\n"), ("stderr", b"err\n"), ("stdout", b"half")]
ID = "65a0c0ffee00000000000001"


def test_a_terminal_sees_marks_and_how_it_ended(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS) as server:
        got = spawn("--url", server.url, "run", "core.local", "x", terminal=True).end()
    opening = f"\x1b[2m{ID} · {server.url}/executions/{ID}\x1b[0m\n".encode()
    closing = f"\n\x1b[2msucceeded in 2.5 s · {ID}\x1b[0m\n".encode()
    assert got == (0, opening + b"out\n\x1b[31merr\n\x1b[0mhalf" + closing, b"")


def test_a_lost_server_is_one_dim_line_on_a_terminal(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    first = len(b":\n\n" + fake.sse(1, *RECORDS[0]))
    with fake.FakeSquall(RECORDS, cuts=iter([first, 0])) as server:
        got = spawn("--url", server.url, "run", "core.local", "x", terminal=True).end()
    lines = got.out.decode().split("\n")[1:]
    assert lines[:3] == [
        "out",
        "\x1b[2mlost the connection to the server; reconnecting after f-1\x1b[0m",
        "\x1b[2mreconnected; resumed after f-1\x1b[0m",
    ]
    assert lines[3:5] == ["\x1b[31merr", "\x1b[0mhalf"]


def test_a_lost_server_leaves_no_trace_in_piped_output(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, cuts=iter([300, 301, 700])) as server:
        got = spawn("--url", server.url, "run", "core.local", "x").end()
    assert got == (0, b"out\nhalf", b"err\n")


def test_missing_output_is_told_also_without_a_terminal(fake: ModuleType, run: Callable[..., Any]) -> None:
    class Gappy(fake.FakeSquall):  # type: ignore[misc, name-defined]
        def _output(self, request: Any, peer: Any) -> bool:
            peer.begin_stream()
            peer.chunk(b'id: f-1\nevent: gap\ndata: {"bytes": 7, "reason": "output limit"}\n\n' + fake.EOF)
            return False

    with Gappy([]) as server:
        got = run("--url", server.url, "run", "core.local", "x")
    assert got == (0, b"", b"squall: 7 bytes of the output are missing here: output limit\n")


def test_a_reader_that_goes_away_ends_it_quietly(fake: ModuleType, spawn: Callable[..., Any]) -> None:
    with fake.FakeSquall([("stdout", b"line\n" * 100_000)] * 3) as server:
        session = spawn("--url", server.url, "run", "core.local", "x")
        assert os.read(session.process.stdout.fileno(), 5) == b"line\n"
        session.process.stdout.close()
        assert session.process.wait(20) == 141
        assert session.process.stderr.read() == b""


def test_closed_standard_descriptors_do_no_harm(fake: ModuleType) -> None:
    import sys

    code = "import sys; from squall.cli.main import main; sys.exit(main())"
    with fake.FakeSquall(RECORDS) as server:
        command = [sys.executable, "-c", code, "--url", server.url, "run", "core.local", "x"]
        quoted = subprocess.list2cmdline(command[:2]) + f' "$0" {" ".join(command[3:])} <&- >&- 2>&-'
        ended = subprocess.run(["sh", "-c", quoted, code], timeout=60, check=False)
    assert ended.returncode == 0
