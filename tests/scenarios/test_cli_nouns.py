"""The other commands against a real server, and against none."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import SQUALL, Server, environment, read_line, serving
from tests.scenarios.live.wire import PATIENCE


def test_executions_are_listed_and_shown(plain_server: Server) -> None:
    execution = plain_server.shell("echo hello")
    plain_server.ended(execution)
    listed = plain_server.squall("execution", "list", "-n", "5", "--action", "core.local")
    assert listed.status == 0
    assert execution in listed.out.decode()
    [document] = json.loads(plain_server.squall("execution", "list", "-n", "1", "-j").out)
    assert document["id"] == execution
    shown = plain_server.squall("execution", "get", execution).out.decode()
    assert "hello" in shown
    assert "succeeded" in shown
    assert json.loads(plain_server.squall("execution", "get", "last", "-j").out)["id"] == execution


def test_lists_are_filtered_by_status(plain_server: Server) -> None:
    plain_server.ended(plain_server.shell("exit 1"))
    found = json.loads(plain_server.squall("execution", "list", "--status", "failed", "-j").out)
    assert {item["status"] for item in found} == {"failed"}


def test_what_has_ended_cannot_be_canceled(plain_server: Server) -> None:
    execution = plain_server.request("core.noop")
    plain_server.ended(execution)
    ran = plain_server.squall("execution", "cancel", execution)
    assert (ran.status, ran.out) == (1, b"")
    assert b"cannot be canceled" in ran.err


def test_actions_and_runners_are_listed_and_shown(plain_server: Server) -> None:
    listed = plain_server.squall("action", "list", "--pack", "live").out.decode()
    assert {"live.puppet", "live.typed"} <= set(listed.split())
    assert "core.local" not in listed
    shown = plain_server.squall("action", "get", "live.typed").out.decode()
    assert "count" in shown
    assert "(required)" in shown
    assert json.loads(plain_server.squall("action", "get", "live.typed", "-j").out)["ref"] == "live.typed"
    assert b"local-shell-cmd" in plain_server.squall("runner", "list").out


def test_env_prints_the_exports_again(plain_server: Server) -> None:
    ran = plain_server.squall("env")
    assert (ran.status, ran.out.decode().splitlines()) == (0, plain_server.banner[1:])


def test_the_config_in_force_is_shown_with_its_sources(plain_server: Server) -> None:
    ran = plain_server.squall("config", "show", env={"SQUALL_STREAM_HEARTBEAT_SECONDS": "3"})
    assert ran.status == 0
    assert "heartbeat_seconds = 3.0  # from environment SQUALL_STREAM_HEARTBEAT_SECONDS" in ran.out.decode()
    assert "stream_output = true  # from default" in ran.out.decode()


def test_logs_are_readable_and_can_be_followed(plain_server: Server) -> None:
    assert b"content registered" in plain_server.squall("logs").out
    with plain_server.spawn("logs", "-f", "-n", "1") as process:
        assert process.stdout is not None
        assert read_line(process.stdout)


def test_version_and_help_need_no_server(plain_server: Server, tmp_path: Path) -> None:
    for words in (("version",), ("--help",), ("run", "--help"), ("--version",)):
        ran = plain_server.squall(*words, env={"SQUALL_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)})
        assert (ran.status, ran.err) == (0, b""), words
        assert ran.out


@pytest.fixture
def short_lived(tmp_path: Path, packs: Path) -> Iterator[Server]:
    with serving(tmp_path, packs, env=QUICK) as server:
        yield server


def test_status_and_stop_find_the_server_by_its_data(short_lived: Server) -> None:
    status = short_lived.squall("status")
    assert status.status == 0
    assert str(short_lived.process.pid) in status.out.decode()
    assert short_lived.url in status.out.decode()
    told = json.loads(short_lived.squall("status", "-j").out)
    assert (told["running"], told["pid"], told["url"]) == (True, short_lived.process.pid, short_lived.url)
    assert short_lived.squall("stop").status == 0
    assert short_lived.wait() == 0
    gone = short_lived.squall("status")
    assert (gone.status, b"not running" in gone.out) == (3, True)
    assert short_lived.squall("stop").status == 0


@pytest.mark.parametrize(
    "words", [("run", "core.noop"), ("tail",), ("execution", "list"), ("action", "list"), ("env",)]
)
def test_without_a_server_one_line_says_how_to_start_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    for extra in ({"SQUALL_DATA_DIR": str(tmp_path / "data")}, {"SQUALL_URL": "http://127.0.0.1:9"}):
        if words == ("env",) and "SQUALL_URL" in extra:
            continue
        env = environment(tmp_path, extra)
        done = subprocess.run([*SQUALL, *words], capture_output=True, env=env, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
        assert b"squall serve" in done.stderr


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("pack get lniux", "linux"), ("pack register lniux", "linux"), ("pack remove lniux", "linux"),
        ("action delete core.lcoal", "core.local"), ("key get suggested.nmae", "suggested.name"),
        ("key delete suggested.nam", "suggested.name"), ("execution get {}", ""), ("tail {}", ""), ("output {}", ""),
        ("output verify {}", ""), ("open {}", ""), ("execution re-run {}", ""), ("execution cancel {}", ""),
    ],
)  # fmt: skip
def test_a_mistyped_name_or_id_is_told_with_the_one_that_was_meant(plain_server: Server, line: str, meant: str) -> None:
    plain_server.squall("key", "set", "suggested.name", "x")
    execution = plain_server.request("core.noop")
    plain_server.ended(execution)
    mistyped = execution[:-1] + ("0" if execution[-1] != "0" else "1")
    told = plain_server.squall(*line.format(mistyped).split())
    assert (told.status, told.out) == (2, b"")
    assert f"; did you mean {meant or execution}?\n".encode() in told.err


@pytest.mark.parametrize(
    ("line", "meant"), [("action list --pack lniux", "linux"), ("execution list --action core.noopp", "core.noop")]
)
def test_a_mistyped_filter_that_matches_nothing_is_told(plain_server: Server, line: str, meant: str) -> None:
    told = plain_server.squall(*line.split())
    assert (told.status, f"; did you mean {meant}?\n".encode() in told.err) == (0, True)
