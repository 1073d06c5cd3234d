from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.unit.cli.conftest import load_fake

RECORDS = [("stdout", b"out \xff\x00\n"), ("stderr", b"err\n"), ("stdout", b"no newline")]
ID = b"65a0c0ffee00000000000001"


class Strict(load_fake().FakeSquall):  # type: ignore[misc]
    """A server that refuses to start anything."""

    def respond(self, request: Any, peer: Any) -> bool:
        if request.method == "POST":
            peer.answer(400, {"faultstring": "refused"})
            return True
        return bool(super().respond(request, peer))


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


@pytest.mark.parametrize("words", [[], ["x=1"]])
@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("core.lcoal", "action 'core.lcoal' does not exist; did you mean core.local?"),
        ("LOCAL", "action 'LOCAL' does not exist; did you mean core.local?"),
        ("zzz.qqq", "action 'zzz.qqq' does not exist; squall action list shows all"),
    ],
)
def test_a_mistyped_action_is_refused_with_the_one_that_was_meant(
    fake: ModuleType, run: Callable[..., Any], ref: str, message: str, words: list[str]
) -> None:
    with Strict([]) as server:
        got = run("--url", server.url, "run", ref, *words)
    assert got == (2, b"", f"squall: {message}\n".encode())


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tiemout=5", "action core.local has no parameter 'tiemout'; did you mean timeout?"),
        ("qqqq=5", "action core.local has no parameter 'qqqq'; squall run core.local --help shows its parameters"),
    ],
)
def test_a_mistyped_parameter_is_refused_with_the_one_that_was_meant(
    fake: ModuleType, run: Callable[..., Any], word: str, message: str
) -> None:
    with Strict([]) as server:
        got = run("--url", server.url, "run", "core.local", word)
    assert got == (2, b"", f"squall: {message}\n".encode())


def test_another_refusal_stays_in_the_servers_words(fake: ModuleType, run: Callable[..., Any]) -> None:
    with Strict([]) as server:
        got = run("--url", server.url, "run", "core.local", "cmd=x")
    assert got == (2, b"", b"squall: refused\n")


@pytest.mark.parametrize("words", [["core.local", "--help"], ["-h", "core.local"], ["core.local", "cmd=x", "--help"]])
def test_the_help_of_an_action_shows_its_parameters_and_no_secret(
    fake: ModuleType, run: Callable[..., Any], words: list[str]
) -> None:
    with fake.FakeSquall([]) as server:
        server.parameters["token"] = {"type": "string", "secret": True, "default": "hunter2", "description": "Mine."}
        server.parameters["auth"] = {
            "type": "object",
            "default": {"key": "hunter2"},
            "properties": {"key": {"type": "string", "secret": True}},
        }
        got = run("--url", server.url, "run", *words)
        assert not [request for request in server.requests if request.method == "POST"]
    text = got.out.decode()
    assert (got.status, got.err) == (0, b"") and "hunter2" not in text
    assert text.startswith("usage: squall run core.local cmd=… [name=value …]\n\nRun.\n")
    rows = [line.split() for line in text.splitlines()]
    assert ["cmd", "string", "(required)"] in rows
    assert ["token", "string", "********", "Mine."] in rows
    assert ["timeout", "integer", "60"] in rows


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
