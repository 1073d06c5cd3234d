"""Rules over HTTP: kept, and their executions reached from the event that started them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import Server

NUMBERS = itertools.count()


@pytest.fixture
def rule(plain_server: Server) -> Iterator[dict[str, Any]]:
    """A rule that echoes what its webhook gets."""
    name = f"rule{next(NUMBERS)}"
    body = {
        "name": name,
        "pack": "ruled",
        "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": name}},
        "criteria": {"trigger.body.text": {"type": "exists"}},
        "action": {"ref": "core.local", "parameters": {"cmd": "echo {{ trigger.body.text }}"}},
    }
    made = plain_server.call("POST", "/v1/rules", body)
    assert made.status == 201, made
    yield made.json
    plain_server.call("DELETE", f"/v1/rules/{made.json['id']}")


def test_a_rule_is_listed_shown_changed_and_removed(plain_server: Server, rule: dict[str, Any]) -> None:
    path = f"/v1/rules/{rule['ref']}"
    assert plain_server.get(path) == plain_server.get(f"/v1/rules/{rule['id']}") == rule
    [listed] = plain_server.get("/v1/rules", name=rule["name"], include_attributes="enabled")
    assert listed == {"ref": rule["ref"], "enabled": True, "id": rule["id"]}
    off = plain_server.call("PUT", path, {**rule, "enabled": False})
    assert (off.status, off.json) == (200, {**rule, "enabled": False})
    assert plain_server.call("DELETE", path).status == 204
    assert plain_server.call("GET", path).status == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trigger": {"type": "no.such"}}, "trigger.type: there is no trigger type"),
        ({"trigger": {"type": "core.st2.webhook"}}, "url"),
        ({"criteria": {"trigger.a": {"type": "no such", "pattern": 1}}}, "criteria"),
        ({"criteria": {"trigger.a": {"type": "eq"}}}, "pattern"),
        ({"name": 7}, "name"),
        ({"action": {}}, "action"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_field(plain_server: Server, change: dict[str, Any], message: str) -> None:
    body = {
        "name": "wrong",
        "pack": "ruled",
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": "wrong"}},
        "action": {"ref": "core.noop"},
    }
    reply = plain_server.call("POST", "/v1/rules", {**body, **change})
    assert (reply.status, message in reply.fault) == (400, True), reply.json
    assert plain_server.call("GET", "/v1/rules/ruled.wrong").status == 404


def test_a_second_rule_of_the_same_name_is_a_conflict(plain_server: Server, rule: dict[str, Any]) -> None:
    reply = plain_server.call("POST", "/v1/rules", rule)
    assert (reply.status, reply.json["conflict-id"]) == (409, rule["id"])


def test_an_enforcement_leads_from_the_event_to_the_execution(plain_server: Server, rule: dict[str, Any]) -> None:
    with plain_server.stream(events="st2.rule_enforcement__create") as stream:
        sent = plain_server.call("POST", f"/v1/webhooks/{rule['name']}", {"text": "hello"})
        assert sent.status == 202
        told = next(event.body for event in stream.events() if event.body["rule"]["ref"] == rule["ref"])
    instance = sent.headers["x-squall-trigger-instance"]
    [enforcement] = plain_server.get("/v1/ruleenforcements", rule_ref=rule["ref"])
    assert told == enforcement
    assert enforcement["trigger_instance_id"] == instance
    execution = plain_server.ended(enforcement["execution_id"])
    assert execution["result"]["stdout"] == "hello"
    assert execution["context"]["rule"] == {"id": rule["id"], "name": rule["name"]}
    assert plain_server.get(f"/v1/ruleenforcements/{enforcement['id']}")["explanation"]["matches"] is True
    assert plain_server.get(sent.headers["location"])["status"] == "processed"


def test_an_event_is_dispatched_again(plain_server: Server, rule: dict[str, Any]) -> None:
    sent = plain_server.call("POST", f"/v1/webhooks/{rule['name']}", {"none": 1})
    path = sent.headers["location"]
    again = plain_server.call("POST", f"{path}/re_emit", {})
    assert again.status == 200
    original = sent.headers["x-squall-trigger-instance"]
    assert again.json["payload"]["__context"] == {"original_id": original}
    assert plain_server.call("POST", f"{path}/retry", {}).status == 409
