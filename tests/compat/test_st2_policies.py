"""Policies and traces with the official client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.scenarios.live.server import Ran, Server

St2 = Callable[..., Ran]


def test_policies_are_created_listed_shown_changed_and_deleted(plain_server: Server, st2: St2, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    given = {
        "name": "st2limit",
        "pack": "peer",
        "resource_ref": "peer.nothing",
        "policy_type": "action.concurrency",
        "enabled": True,
        "parameters": {"threshold": 3},
    }
    file.write_text(json.dumps(given))
    made = json.loads(st2(plain_server, "policy", "create", str(file), "-j").out)
    assert made["ref"] == "peer.st2limit"
    assert b"peer.st2limit" in st2(plain_server, "policy", "list").out
    listed = json.loads(st2(plain_server, "policy", "list", "-r", "peer.nothing", "-j").out)
    assert [item["ref"] for item in listed] == ["peer.st2limit"]
    assert json.loads(st2(plain_server, "policy", "get", "peer.st2limit", "-j").out)["parameters"] == {"threshold": 3}
    file.write_text(json.dumps({**given, "enabled": False}))
    assert st2(plain_server, "policy", "update", "peer.st2limit", str(file)).status == 0
    assert plain_server.get("/v1/policies/peer.st2limit")["enabled"] is False
    assert st2(plain_server, "policy", "delete", "peer.st2limit").status == 0
    gone = st2(plain_server, "policy", "get", "peer.st2limit")
    assert b"not found" in gone.out + gone.err


def test_types_of_policies_are_listed_and_shown(plain_server: Server, st2: St2) -> None:
    listed = json.loads(st2(plain_server, "policy-type", "list", "-j").out)
    assert {kind["name"] for kind in listed} == {"concurrency", "concurrency.attr", "retry"}
    shown = json.loads(st2(plain_server, "policy-type", "get", "action.retry", "-j").out)
    assert shown["parameters"]["retry_on"]["enum"] == ["failure", "timeout"]


def test_traces_are_listed_and_shown_by_tag_and_execution(plain_server: Server, st2: St2) -> None:
    assert st2(plain_server, "run", "--trace-tag", "st2tag", "core.noop").status == 0
    # The client shows a single trace as if it had been asked for by its id.
    trace = json.loads(st2(plain_server, "trace", "list", "-c", "st2tag", "-j").out)
    execution = trace["action_executions"][0]["object_id"]
    assert execution.encode() in st2(plain_server, "trace", "get", trace["id"]).out
    found = json.loads(st2(plain_server, "trace", "list", "-e", execution, "-j").out)
    assert found["id"] == trace["id"]
    assert st2(plain_server, "run", "--trace-id", trace["id"], "core.noop").status == 0
    assert len(plain_server.get(f"/v1/traces/{trace['id']}")["action_executions"]) == 2


def test_an_execution_is_run_again_with_other_parameters(plain_server: Server, st2: St2) -> None:
    first = plain_server.shell("echo first")
    plain_server.ended(first)
    ran = st2(plain_server, "execution", "re-run", first, "cmd=echo second")
    assert (ran.status, b"second" in ran.out) == (0, True)
    (newest,) = plain_server.get("/v1/executions", limit=1)
    assert newest["context"]["re-run"] == {"ref": first}
