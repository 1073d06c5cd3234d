"""`squall run` against a real server: what is printed, and the exit status."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest
from tests.scenarios.live.server import Server, read_line
from tests.scenarios.live.wire import PATIENCE

BYTES = bytes(range(256)) * 64 + "€ and half of it: ".encode() + b"\xe2\x82"


def wait(process: subprocess.Popen[bytes]) -> int:
    return process.wait(PATIENCE)


def pipes(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What is left in both pipes."""
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize(("command", "status"), [("true", 0), ("exit 1", 1), ("exit 77", 1), ("kill -9 $$", 1)])
def test_the_exit_status_tells_the_outcome(plain_server: Server, command: str, status: int) -> None:
    ran = plain_server.squall("run", "core.local", f"cmd=echo said; {command}")
    assert (ran.status, ran.out) == (status, b"said\n")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["core.local", "cmd=echo first >&2; echo why >&2; exit 7"], r"failed \(exit 7\) in .* · \w+: why"),
        (["core.local", "cmd=echo why; exit 7", "pty=true"], r"failed \(exit 7\) in .* · \w+: why"),
        (["core.local", "cmd=exit 7"], r"failed \(exit 7\) in .* · \w+"),
        (["core.local", "cmd=sleep 60", "timeout=1"], r"timeout in .* · \w+: .*1 seconds"),
        (["examples.flow_errors"], r"failed in .* · \w+: task risky failed \(exit 1\) \(and 1 more error\)"),
    ],
)
def test_the_last_line_says_why_it_failed(plain_server: Server, words: list[str], reason: str) -> None:
    *_, line = plain_server.squall("run", *words).err.decode().splitlines()
    assert re.fullmatch(reason, line), line


def test_what_is_piped_from_tail_has_no_line_of_its_own(plain_server: Server) -> None:
    plain_server.squall("run", "core.local", "cmd=echo out; echo err >&2; exit 7")
    ran = plain_server.squall("tail", "last")
    assert (ran.status, ran.out, ran.err) == (0, b"out\n", b"err\n")


def test_a_timeout_is_124(plain_server: Server) -> None:
    ran = plain_server.squall("run", "core.local", "cmd=echo said; sleep 60", "timeout=1")
    assert (ran.status, ran.out) == (124, b"said\n")
    assert b"timeout" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        "run",
        "run no.such",
        "run live.typed",
        "run live.typed count=x",
        "run live.typed count=-1",
        "run live.typed count=1 bogus=1",
        "run live.disabled",
        "run core.noop --bogus",
        "nonsense",
        "execution get 0123456789abcdef01234567",
        "tail 0123456789abcdef01234567",
        "action get no.such",
    ],
)
def test_what_is_wrong_with_the_request_is_2_and_runs_nothing(plain_server: Server, words: str) -> None:
    before = plain_server.call("GET", "/v1/executions?limit=1").headers["x-total-count"]
    ran = plain_server.squall(*words.split())
    assert (ran.status, ran.out) == (2, b"")
    assert ran.err
    assert b"Traceback" not in ran.err
    assert plain_server.call("GET", "/v1/executions?limit=1").headers["x-total-count"] == before


def test_piped_output_is_byte_exact(plain_server: Server) -> None:
    source = plain_server.home / "bytes"
    source.write_bytes(BYTES)
    ran = plain_server.squall("run", "core.local", f"cmd=cat {source}; cat {source} >&2")
    assert (ran.status, ran.out, ran.err) == (0, BYTES, BYTES)
    assert plain_server.squall("tail", "last").out == BYTES


def test_only_one_stream_is_shown_on_request(plain_server: Server) -> None:
    ran = plain_server.squall("run", "core.local", "cmd=echo out; echo err >&2", "--stream", "stderr")
    assert (ran.out, ran.err) == (b"", b"err\n")


def test_timestamps_stand_before_every_line(plain_server: Server) -> None:
    ran = plain_server.squall("run", "core.local", "cmd=echo one; echo two", "--timestamps")
    assert [line.split()[-1] for line in ran.out.splitlines()] == [b"one", b"two"]
    assert all(line.startswith(b"20") and b"Z " in line for line in ran.out.splitlines())


def test_words_that_are_no_parameters_become_the_command(plain_server: Server) -> None:
    assert plain_server.squall("run", "core.local", "--", "echo", "a b").out == b"a b\n"


def test_json_prints_the_document_and_not_the_output(plain_server: Server) -> None:
    ran = plain_server.squall("run", "core.local", "cmd=echo '[1]'; exit 3", "-j")
    document = json.loads(ran.out)
    assert (ran.status, document["status"], document["result"]["stdout"]) == (1, "failed", [1])


def test_async_prints_the_id_alone(plain_server: Server) -> None:
    ran = plain_server.squall("run", "-a", "core.noop")
    assert (ran.status, ran.err) == (0, b"")
    assert plain_server.ended(ran.out.decode().strip())["status"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_without_a_terminal_cancels(plain_server: Server, number: signal.Signals) -> None:
    with plain_server.spawn("run", "core.local", "cmd=echo begun; sleep 600") as process:
        assert process.stdout is not None
        assert read_line(process.stdout) == b"begun\n"
        process.send_signal(number)
        assert wait(process) == 130
    assert plain_server.get("/v1/executions/last")["status"] == "canceled"


def test_a_cancel_from_elsewhere_ends_the_run_with_130(plain_server: Server) -> None:
    with plain_server.spawn("run", "core.local", "cmd=echo begun; sleep 600") as process:
        assert process.stdout is not None
        assert read_line(process.stdout) == b"begun\n"
        execution = plain_server.get("/v1/executions/last")["id"]
        canceled = plain_server.squall("execution", "cancel", execution)
        assert (canceled.status, canceled.out.split()[0].decode()) == (0, execution)
        assert wait(process) == 130


def test_lines_come_while_the_action_runs(plain_server: Server) -> None:
    fifo = plain_server.home / "go"
    command = f"rm -f {fifo}; mkfifo {fifo}; printf 'Name? '; read x < {fifo}; echo hello $x"
    with plain_server.spawn("run", "core.local", f"cmd={command}") as process:
        assert process.stdout is not None
        # A prompt has no line end.
        assert process.stdout.read(6) == b"Name? "
        fifo.write_text("you\n")
        assert wait(process) == 0
        assert pipes(process)[0] == b"hello you\n"


def test_a_reader_that_goes_away_ends_the_command_quietly(plain_server: Server) -> None:
    with plain_server.spawn("run", "examples.firehose", "lines=100000") as process:
        assert process.stdout is not None
        process.stdout.read(1000)
        process.stdout.close()
        assert wait(process) == 141
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_re_run_shows_its_output_and_changes_what_it_is_told(plain_server: Server) -> None:
    plain_server.squall("run", "core.local", "cmd=echo first", "timeout=30")
    execution = plain_server.get("/v1/executions/last")["id"]
    assert plain_server.squall("execution", "re-run", execution).out == b"first\n"
    ran = plain_server.squall("execution", "re-run", execution, "cmd=echo second; exit 1")
    assert (ran.status, ran.out) == (1, b"second\n")
    assert plain_server.get("/v1/executions/last")["parameters"]["timeout"] == 30
