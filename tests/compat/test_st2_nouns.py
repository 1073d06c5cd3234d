"""The other nouns of the official client, and its Python interface."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.scenarios.live.server import Ran, Server

St2 = Callable[..., Ran]


def test_actions_are_listed(plain_server: Server, st2: St2) -> None:
    text = st2(plain_server, "action", "list").out.decode()
    assert "core.local" in text
    assert "examples.countdown" in text
    found = json.loads(st2(plain_server, "action", "list", "--pack", "live", "-j").out)
    assert {item["pack"] for item in found} == {"live"}
    assert "live.puppet" in {item["ref"] for item in found}


def test_an_action_is_shown(plain_server: Server, st2: St2) -> None:
    document = json.loads(st2(plain_server, "action", "get", "core.local", "-j").out)
    assert (document["ref"], document["runner_type"]) == ("core.local", "local-shell-cmd")
    by_id = json.loads(st2(plain_server, "action", "get", document["id"], "-j").out)
    assert by_id == document
    missing = st2(plain_server, "action", "get", "no.such")
    assert b"not found" in missing.out + missing.err


def test_runners_are_listed_and_shown(plain_server: Server, st2: St2) -> None:
    names = {item["name"] for item in json.loads(st2(plain_server, "runner", "list", "-j").out)}
    assert {"noop", "local-shell-cmd", "local-shell-script"} <= names
    shown = json.loads(st2(plain_server, "runner", "get", "noop", "-j").out)
    assert shown["name"] == "noop"


PROGRAM = """
import json
from st2client.client import Client
client = Client()
actions = client.actions.get_all(pack="core")
execution = client.executions.get_by_id("{id}")
found, total = client.executions.query_with_count(action="core.local", limit=1)
print(json.dumps([
    sorted(action.ref for action in actions), execution.status, len(found), total,
    client.executions.get_by_id("0123456789abcdef01234567"), client.actions.get_by_ref_or_id("core.noop").name,
    sorted(event["status"] for event in client.managers["Stream"].listen(
        ["st2.execution__update"], end_event="st2.execution__update", end_execution_id="{id}")),
]))
"""


def test_the_python_client_works(plain_server: Server, st2_program: str) -> None:
    execution = plain_server.shell("true")
    plain_server.ended(execution)
    exports = dict(line.removeprefix("export ").split("=", 1) for line in plain_server.banner[1:])
    python = Path(st2_program).parent / "python"
    done = subprocess.run(
        [python, "-c", PROGRAM.replace("{id}", execution)],
        capture_output=True,
        env={**plain_server.env, **exports},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refs, status, found, total, missing, name, updates = json.loads(done.stdout)
    assert "core.local" in refs
    assert (status, found, missing, name) == ("succeeded", 1, None, "noop")
    assert total >= 1
    assert updates == ["running", "succeeded"]
