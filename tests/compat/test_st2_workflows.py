"""Workflows with the official client: run, get, tail at the root, pause, resume, cancel, re-run of tasks, inspect."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.server import Ran, Server

from squall.testing.waiting import until

St2 = Callable[..., Ran]
SpawnSt2 = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


def made(plain_server: Server, action: str, **parameters: Any) -> str:
    reply = plain_server.call("POST", "/v1/executions", {"action": action, "parameters": parameters})
    return str(reply.json["id"])


def test_run_shows_the_output_and_the_table_of_tasks(plain_server: Server, st2: St2) -> None:
    done = st2(plain_server, "run", "examples.flow_line", "name=Ada")
    text = done.out.decode()
    assert done.status == 0
    assert "status: succeeded" in text
    assert "greeting: Hello, Ada!" in text
    for task, action in (("greet", "core.local"), ("shout", "core.local"), ("done", "core.noop")):
        [row] = [line for line in text.splitlines() if f"| {task} " in line]
        assert "succeeded" in row
        assert action in row


def test_get_shows_the_children(plain_server: Server, st2: St2) -> None:
    execution = made(plain_server, "examples.flow_items")
    plain_server.ended(execution)
    text = st2(plain_server, "execution", "get", execution).out.decode()
    assert "Hello, eve!" in text
    assert sum("| greet " in line for line in text.splitlines()) == 3


@pytest.mark.parametrize("command", [("run", "examples.flow_nested", "--tail"), ("execution", "tail")])
def test_a_tail_of_the_root_shows_every_level(plain_server: Server, st2: St2, command: tuple[str, ...]) -> None:
    words = list(command)
    if "tail" in words:
        words.append(made(plain_server, "examples.flow_nested"))
    text = st2(plain_server, *words).out.decode()
    for line in ("Hello, Squall!", "HELLO, SQUALL!", "Hello, HELLO, SQUALL!!"):
        assert line in text
    if "run" in words:
        # Attached from the beginning, it tells of tasks at every level.
        for task in ("line", "greet", "items"):
            assert f"(task={task}) " in text
        assert "has finished (status=succeeded)" in text


def test_pause_resume_and_cancel(plain_server: Server, st2: St2) -> None:
    # On a busy machine a short workflow may have ended before the client has begun.
    for seconds in (1, 5, 25, 125):
        execution = made(plain_server, "examples.flow_parallel", seconds=seconds)
        if st2(plain_server, "execution", "pause", execution).status == 0:
            break
    until(lambda: plain_server.get(f"/v1/executions/{execution}")["status"] == "paused", "it is paused", pause=0.05)
    assert st2(plain_server, "execution", "resume", execution).status == 0
    assert plain_server.ended(execution)["status"] == "succeeded"
    execution = made(plain_server, "examples.flow_parallel", seconds=60)
    assert st2(plain_server, "execution", "cancel", execution).status == 0
    assert plain_server.ended(execution)["status"] == "canceled"


def test_tasks_are_run_again(plain_server: Server, st2: St2) -> None:
    execution = made(plain_server, "examples.flow_errors")
    assert plain_server.ended(execution)["status"] == "failed"
    text = st2(plain_server, "execution", "re-run", execution, "--tasks", "risky").out.decode()
    assert "status: failed" in text
    assert [line.split("|")[3].strip() for line in text.splitlines() if "core.local" in line] == [
        *["risky"] * 3,
        "clean",
    ]
    gone = st2(plain_server, "execution", "re-run", execution, "--tasks", "nosuch", "-j")
    assert "one or more tasks is not found: nosuch" in gone.out.decode()


def test_inspect_tells_what_is_wrong(plain_server: Server, st2: St2, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("version: 1.0\ntasks:\n  a:\n    action: core.nosuch\n")
    text = st2(plain_server, "workflow", "inspect", "--file", str(tmp_path / "w.yaml")).out.decode()
    assert 'The action "core.nosuch" is not registered in the database.' in text
    assert "spec_path: tasks.a.action" in text
