"""`squall tail`: everything that was printed, then what is printed, over lost servers too."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, read_line, serving
from tests.scenarios.live.wire import PATIENCE


def test_a_late_tail_replays_everything_and_follows(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        with plain_server.output(execution) as stream:
            strings.say(b"old one\nold two\n")
            stream.until(b"old two\n")
        with plain_server.spawn("tail", execution) as process:
            assert process.stdout is not None
            assert [read_line(process.stdout) for _ in range(2)] == [b"old one\n", b"old two\n"]
            strings.say(b"new\n")
            assert read_line(process.stdout) == b"new\n"
            strings.end(1)
            assert read_line(process.stdout) == b""
            assert process.wait(PATIENCE) == 0


def test_without_an_id_the_last_execution_is_meant(plain_server: Server) -> None:
    plain_server.ended(plain_server.shell("echo the last one"))
    assert plain_server.squall("tail").out == b"the last one\n"
    assert plain_server.squall("tail", "last").out == b"the last one\n"


def test_types_metadata_and_positions(plain_server: Server) -> None:
    execution = plain_server.shell("echo out; sleep 0.05; echo err >&2; sleep 0.05; echo more")
    plain_server.ended(execution)
    assert plain_server.squall("tail", execution, "--type", "stderr").err == b"err\n"
    shown = plain_server.squall("tail", execution, "--include-metadata", "--type", "stdout").out.splitlines()
    assert [line.rpartition(b"][stdout] ")[2] for line in shown] == [b"out", b"more"]
    with plain_server.output(execution, format="sse") as stream:
        first = next(iter(stream.events())).id
    assert plain_server.squall("tail", execution, "--after", first).out == b"more\n"
    refused = plain_server.squall("tail", execution, "--after", "f-7")
    assert (refused.status, b"f-7" in refused.err) == (2, True)


def test_no_follow_ends_with_what_is_there(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        with plain_server.output(execution) as stream:
            strings.say(b"so far\n")
            stream.until(b"so far\n")
        ran = plain_server.squall("tail", "--no-follow", execution)
        assert (ran.status, ran.out) == (0, b"so far\n")


def test_a_tail_shows_a_whole_family(plain_server: Server) -> None:
    with plain_server.puppet() as (top, strings), plain_server.output(top) as stream:
        strings.say(b"top\n")
        stream.until(b"top\n")
        plain_server.ended(plain_server.shell("echo child", parent=top))
    assert plain_server.squall("tail", top).out == b"top\nchild\n"


@pytest.fixture
def mortal(tmp_path: Path, packs: Path) -> Iterator[Server]:
    with serving(tmp_path, packs, env={**QUICK, "SQUALL_SERVER_STOP_ACTIONS": "false"}) as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_run_and_tail_come_back_after_a_restart_and_repeat_nothing(mortal: Server, number: signal.Signals) -> None:
    fifo = mortal.home / "go"
    command = f"mkfifo {fifo}; echo begun; read x < {fifo}; echo $x"
    with mortal.spawn("run", "core.local", f"cmd={command}") as run:
        assert run.stdout is not None
        assert read_line(run.stdout) == b"begun\n"
        with mortal.spawn("tail") as tail:
            assert tail.stdout is not None
            assert read_line(tail.stdout) == b"begun\n"
            port = mortal.port
            mortal.signal(number)
            mortal.wait()
            mortal.start(port)
            fifo.write_text("done\n")
            for process in (run, tail):
                assert process.stdout is not None
                assert process.stderr is not None
                assert process.wait(PATIENCE) == 0
                assert (process.stdout.read(), process.stderr.read()) == (b"done\n", b"")


def test_lines_of_a_workflow_say_which_task_they_are_from(plain_server: Server) -> None:
    execution = plain_server.request("examples.flow_nested")
    plain_server.ended(execution)
    shown = plain_server.squall("tail", execution).out.decode()
    assert "line/greet ⦿ Hello, Squall!\n" in shown
    assert "items/greet[1] ⦿ " in shown
    assert "⦿" not in plain_server.squall("tail", execution, "--no-names").out.decode()
