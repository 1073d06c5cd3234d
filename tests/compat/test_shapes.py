"""Answers have the keys and values that StackStorm's have."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.scenarios.live.server import Server

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
ID = re.compile(r"^[0-9a-f]{24}$")

ACTION = {"tags", "uid", "metadata_file", "name", "ref", "description", "enabled", "entry_point", "pack", "runner_type",
          "parameters", "output_schema", "notify", "id"}  # fmt: skip
RUNNER = {"name", "description", "uid", "enabled", "runner_package", "runner_module", "runner_parameters",
          "output_schema", "id"}  # fmt: skip
REQUESTED = {
    "action",
    "runner",
    "liveaction",
    "status",
    "start_timestamp",
    "parameters",
    "context",
    "log",
    "web_url",
    "id",
}
ENDED = REQUESTED | {"end_timestamp", "elapsed_seconds", "result", "result_size"}
LIVEACTION = {"action", "action_is_workflow", "parameters", "callback", "runner_info", "id"}


@pytest.fixture(scope="module")
def made(plain_server: Server) -> dict[str, Any]:
    body = {"action": "core.local", "parameters": {"cmd": "echo out; echo err >&2"}, "user": None}
    reply = plain_server.call("POST", "/v1/executions", body)
    assert reply.status == 201
    document: dict[str, Any] = reply.json
    return document


@pytest.fixture(scope="module")
def ended(plain_server: Server, made: dict[str, Any]) -> dict[str, Any]:
    return plain_server.ended(made["id"])


def test_a_requested_execution(made: dict[str, Any]) -> None:
    assert set(made) == REQUESTED
    assert made["status"] == "requested"
    assert made["parameters"] == {"cmd": "echo out; echo err >&2"}
    assert set(made["context"]) == {"user", "pack"}
    assert made["context"]["pack"] == "core"
    assert [set(entry) for entry in made["log"]] == [{"timestamp", "status"}]
    assert set(made["liveaction"]) == LIVEACTION
    assert (made["liveaction"]["action_is_workflow"], made["liveaction"]["callback"]) == (False, {})
    assert made["web_url"].endswith(f"/#/history/{made['id']}/general")


def test_the_embedded_action_and_runner(made: dict[str, Any]) -> None:
    action, runner = made["action"], made["runner"]
    assert set(action) == ACTION
    assert (action["uid"], action["ref"], action["pack"]) == ("action:core:local", "core.local", "core")
    assert action["metadata_file"] == "actions/local.yaml"
    assert set(runner) == RUNNER
    assert runner["uid"] == "runner_type:local-shell-cmd"
    assert {"cmd", "cwd", "env", "kwarg_op", "sudo", "sudo_password", "timeout"} <= set(runner["runner_parameters"])


def test_an_ended_execution(ended: dict[str, Any]) -> None:
    assert set(ended) == ENDED
    assert [entry["status"] for entry in ended["log"]] == ["requested", "scheduled", "running", "succeeded"]
    assert ended["result"] == {"failed": False, "succeeded": True, "return_code": 0, "stdout": "out", "stderr": "err"}
    assert isinstance(ended["elapsed_seconds"], float)
    assert set(ended["liveaction"]["runner_info"]) == {"hostname", "pid"}


def test_ids_and_times(ended: dict[str, Any]) -> None:
    for text in (ended["start_timestamp"], ended["end_timestamp"], *(entry["timestamp"] for entry in ended["log"])):
        assert TIME.match(text), text
    for text in (ended["id"], ended["action"]["id"], ended["runner"]["id"], ended["liveaction"]["id"]):
        assert ID.match(text), text


@pytest.mark.parametrize(
    ("command", "stdout"),
    [("echo 5", 5), ("echo '{\"a\": [1]}'", {"a": [1]}), ("echo 05", "05"), ("echo true", True), ("echo text", "text"),
     ("printf 'a\\n\\n'", "a\n"), ("true", "")],
)  # fmt: skip
def test_what_is_json_becomes_a_value(plain_server: Server, command: str, stdout: Any) -> None:
    assert plain_server.ended(plain_server.shell(command))["result"]["stdout"] == stdout


@pytest.mark.parametrize(
    ("command", "more", "status", "expected"),
    [
        ("exit 3", {}, "failed", {"failed": True, "succeeded": False, "return_code": 3}),
        ("kill -9 $$", {}, "failed", {"failed": True, "succeeded": False, "return_code": 137}),
        ("sleep 60", {"timeout": 1}, "timeout",
         {"return_code": -9, "error": "Action failed to complete in 1 seconds", "succeeded": False}),
    ],
)  # fmt: skip
def test_results_of_failures(
    plain_server: Server, command: str, more: dict[str, Any], status: str, expected: dict[str, Any]
) -> None:
    document = plain_server.ended(plain_server.request("core.local", cmd=command, **more))
    assert document["status"] == status
    assert document["result"].items() >= expected.items()


def test_the_result_of_noop(plain_server: Server) -> None:
    document = plain_server.ended(plain_server.request("core.noop"))
    assert document["result"] == {"failed": False, "succeeded": True, "return_code": 0}


def test_a_canceled_execution(plain_server: Server) -> None:
    execution = plain_server.shell("sleep 600")
    plain_server.running(execution)
    reply = plain_server.call("DELETE", f"/v1/executions/{execution}")
    assert (reply.status, reply.json["status"]) == (200, "canceling")
    assert set(reply.json["result"]) == {"message", "user"}
    document = plain_server.ended(execution)
    assert document["status"] == "canceled"
    assert document["context"]["cancelled_by"]
    assert [entry["status"] for entry in document["log"]][-2:] == ["canceling", "canceled"]
    again = plain_server.call("DELETE", f"/v1/executions/{execution}")
    assert (again.status, again.json["status"]) == (200, "canceled")


def test_actions_and_runner_types(plain_server: Server) -> None:
    assert set(plain_server.get("/v1/actions/core.local")) == ACTION
    [runner] = plain_server.get("/v1/runnertypes/", name="noop")
    assert {
        "name",
        "description",
        "enabled",
        "runner_package",
        "runner_module",
        "runner_parameters",
        "uid",
        "id",
    } <= set(runner)


def test_the_root(plain_server: Server) -> None:
    for path in ("/v1", "/v1/", "/api/v1/", "/api"):
        assert {"version", "docs_url"} <= set(plain_server.get(path))
