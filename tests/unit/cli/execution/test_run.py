from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

RECORDS = [("stdout", b"out \xff\x00\n"), ("stderr", b"err\n"), ("stdout", b"no newline")]
ID = b"65a0c0ffee00000000000001"


def posted(server: Any) -> Any:
    return next(request.body for request in server.requests if request.method == "POST")


def test_piped_streams_are_the_actions_own_bytes(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS) as server:
        assert run("--url", server.url, "run", "core.local", "cmd=x") == (0, b"out \xff\x00\nno newline", b"err\n")


@pytest.mark.parametrize(("status", "expected"), [("failed", 1), ("abandoned", 3), ("timeout", 124), ("canceled", 130)])
def test_the_exit_status_is_the_outcome_and_one_line_says_it(
    fake: ModuleType, run: Callable[..., Any], status: str, expected: int
) -> None:
    with fake.FakeSquall(RECORDS, status=status, error="it\nbroke") as server:
        got = run("--url", server.url, "run", "core.local", "x")
    assert got.status == expected
    assert got.out == b"out \xff\x00\nno newline"
    assert got.err == b"err\n" + f"{status} in 2.5 s · ".encode() + ID + b": it broke\n"


def test_parameters_are_cast_by_the_actions_schema(fake: ModuleType, run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo 1\n")
    with fake.FakeSquall([]) as server:
        words = ["timeout=5", "env=A=1,B=2", f"@cmd={tmp_path}/script"]
        assert run("run", "core.local", *words, "--url", server.url).status == 0
        assert posted(server) == {
            "action": "core.local",
            "parameters": {"timeout": 5, "env": {"A": "1", "B": "2"}, "cmd": "echo 1\n"},
        }


@pytest.mark.parametrize(
    "argv",
    [
        ["run", "core.local", "timeout=5", "--", "ls", "-l", "--all"],
        ["run", "--timestamps", "core.local", "timeout=5", "--stream", "stdout", "--", "ls -l --all"],
        ["run", "core.local", "--delay", "0", "timeout=5", "ls", "--", "-l", "--all"],
    ],
)
def test_options_may_stand_anywhere_and_words_become_the_command(
    fake: ModuleType, run: Callable[..., Any], argv: list[str]
) -> None:
    with fake.FakeSquall([]) as server:
        assert run("--url", server.url, *argv).status == 0
        assert posted(server)["parameters"] == {"timeout": 5, "cmd": "ls -l --all"}


def test_a_bad_value_names_the_parameter_and_starts_nothing(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "run", "core.local", "timeout=soon")
        assert got == (2, b"", b"squall: parameter timeout: 'soon' is not of type integer\n")
        assert not [request for request in server.requests if request.method == "POST"]


def test_an_unknown_action_is_told_in_the_servers_words(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "run", "core.nope", "x=1")
    assert got == (2, b"", b"squall: nothing at /actions/core.nope\n")


def test_without_a_server_one_line_says_how_to_start_one(run: Callable[..., Any]) -> None:
    got = run("--url", "http://127.0.0.1:1", "run", "core.local", "cmd=x")
    assert got == (2, b"", b"squall: no server answers at http://127.0.0.1:1: start one with `squall serve`\n")


def test_async_prints_the_id_alone(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([], held=True) as server:
        assert run("--url", server.url, "run", "-a", "core.local", "x") == (0, ID + b"\n", b"")
        document = json.loads(run("--url", server.url, "run", "-a", "-j", "core.local", "x").out)
    assert document["status"] == "requested"


def test_json_prints_the_ended_execution_and_no_output(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS, status="failed") as server:
        got = run("--url", server.url, "run", "-j", "core.local", "x")
    assert (got.status, got.err) == (1, b"")
    assert json.loads(got.out)["result"] == {"stdout": "hi", "succeeded": True}


def test_one_stream_alone(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS) as server:
        assert run("--url", server.url, "run", "core.local", "x", "--stream", "stderr") == (0, b"", b"err\n")


def test_timestamps_stand_before_every_line(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall(RECORDS) as server:
        got = run("--url", server.url, "run", "core.local", "x", "--timestamps")
    time = fake.TIME.encode() + b" "
    assert (got.out, got.err) == (time + b"out \xff\x00\n" + time + b"no newline", time + b"err\n")


def test_a_delay_is_passed_on_and_a_negative_one_refused(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        assert run("--url", server.url, "run", "core.local", "x", "--delay", "1500").status == 0
        assert posted(server)["delay"] == 1500
        assert run("--url", server.url, "run", "core.local", "--delay=-1").status == 2
