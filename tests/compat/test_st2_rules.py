"""Rules, triggers, their instances, enforcements and webhooks with the official client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.server import Ran, Server

from squall.testing.waiting import until

St2 = Callable[..., Ran]
BODY: dict[str, Any] = {
    "name": "st2rule",
    "pack": "peer",
    "description": "a rule",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "st2rule"}},
    "criteria": {"trigger.body.n": {"type": "gt", "pattern": 5}},
    "action": {"ref": "core.noop"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(BODY))
    return path


@pytest.fixture
def rule(plain_server: Server) -> Iterator[dict[str, Any]]:
    created = plain_server.call("POST", "/v1/rules", BODY).json
    yield created
    plain_server.call("DELETE", f"/v1/rules/{created['id']}")


def read(ran: Ran) -> Any:
    assert ran.status == 0, ran
    return json.loads(ran.out)


def fired(server: Server, rule_id: str) -> dict[str, Any]:
    """Sends the rule a webhook. Returns the enforcement."""
    assert server.call("POST", "/v1/webhooks/st2rule", {"n": 6}).status == 202
    found: list[dict[str, Any]] = until(lambda: server.get("/v1/ruleenforcements", rule_id=rule_id), "the rule fired")
    return found[0]


def test_rules_are_created_listed_shown_changed_switched_and_deleted(
    plain_server: Server, st2: St2, file: Path
) -> None:
    assert read(st2(plain_server, "rule", "create", str(file), "-j"))["ref"] == "peer.st2rule"
    listed = read(st2(plain_server, "rule", "list", "-p", "peer", "-j"))
    assert [item["ref"] for item in listed] == ["peer.st2rule"]
    assert read(st2(plain_server, "rule", "get", "peer.st2rule", "-j"))["criteria"] == BODY["criteria"]
    file.write_text(json.dumps({**BODY, "description": "changed"}))
    assert read(st2(plain_server, "rule", "update", "peer.st2rule", str(file), "-j"))["description"] == "changed"
    assert st2(plain_server, "rule", "disable", "peer.st2rule").status == 0
    assert plain_server.get("/v1/rules/peer.st2rule")["enabled"] is False
    assert st2(plain_server, "rule", "enable", "peer.st2rule").status == 0
    assert plain_server.get("/v1/rules/peer.st2rule")["enabled"] is True
    assert st2(plain_server, "rule", "delete", "peer.st2rule").status == 0
    gone = st2(plain_server, "rule", "get", "peer.st2rule")
    assert b"not found" in gone.out + gone.err


def test_enforcements_are_listed_and_shown(plain_server: Server, st2: St2, rule: dict[str, Any]) -> None:
    enforcement = fired(plain_server, rule["id"])
    listed = read(st2(plain_server, "rule-enforcement", "list", "--rule", "peer.st2rule", "-j"))
    assert enforcement["id"] in {item["id"] for item in listed}
    shown = read(st2(plain_server, "rule-enforcement", "get", enforcement["id"], "-j"))
    assert shown["execution_id"] == enforcement["execution_id"]


def test_trigger_types_are_created_listed_shown_and_deleted(plain_server: Server, st2: St2, tmp_path: Path) -> None:
    file = tmp_path / "type.json"
    file.write_text(json.dumps({"name": "st2type", "pack": "peer", "payload_schema": {"type": "object"}}))
    assert read(st2(plain_server, "trigger", "create", str(file), "-j"))["ref"] == "peer.st2type"
    listed = read(st2(plain_server, "trigger", "list", "-p", "peer", "-j"))
    assert [item["ref"] for item in listed] == ["peer.st2type"]
    assert read(st2(plain_server, "trigger", "get", "peer.st2type", "-j"))["payload_schema"] == {"type": "object"}
    assert st2(plain_server, "trigger", "delete", "peer.st2type").status == 0


def test_instances_are_listed_shown_and_emitted_again(plain_server: Server, st2: St2, rule: dict[str, Any]) -> None:
    instance = fired(plain_server, rule["id"])["trigger_instance_id"]
    listed = read(st2(plain_server, "trigger-instance", "list", "--trigger", rule["trigger"]["ref"], "-j"))
    assert instance in {item["id"] for item in listed}
    assert read(st2(plain_server, "trigger-instance", "get", instance, "-j"))["payload"]["body"] == {"n": 6}
    assert b"succesfully re-sent" in st2(plain_server, "trigger-instance", "re-emit", instance).out


def test_webhooks_are_listed(plain_server: Server, st2: St2, rule: dict[str, Any]) -> None:
    assert b"st2rule" in st2(plain_server, "webhook", "list").out


def test_a_trace_shows_the_event_the_rule_and_the_execution(
    plain_server: Server, st2: St2, rule: dict[str, Any]
) -> None:
    enforcement = fired(plain_server, rule["id"])
    shown = st2(plain_server, "trace", "list", "--trigger-instance", enforcement["trigger_instance_id"], "-j")
    trace = read(shown)
    assert [part["ref"] for part in trace["rules"]] == ["peer.st2rule"]
    assert [part["object_id"] for part in trace["action_executions"]] == [enforcement["execution_id"]]


def test_executions_of_a_rule_name_it(plain_server: Server, st2: St2, rule: dict[str, Any]) -> None:
    enforcement = fired(plain_server, rule["id"])
    execution = plain_server.ended(enforcement["execution_id"])
    assert execution["rule"]["ref"] == "peer.st2rule"
    listed = read(
        st2(plain_server, "execution", "list", "--trigger_instance", enforcement["trigger_instance_id"], "-j")
    )
    assert [item["id"] for item in listed] == [execution["id"]]
