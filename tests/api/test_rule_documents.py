"""Documents and lists of rules and enforcements, and events about them, beside the recorded ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import Server
from tests.scenarios.live.wire import Stream

from squall.testing.waiting import until

RULE: dict[str, Any] = {
    "name": "shown",
    "pack": "peer",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "shown"}},
    "action": {"ref": "core.local", "parameters": {"cmd": "true", "sudo_password": "open sesame"}},
}


@pytest.fixture
def rule(plain_server: Server) -> Iterator[dict[str, Any]]:
    created = plain_server.call("POST", "/v1/rules", RULE).json
    yield created
    plain_server.call("DELETE", f"/v1/rules/{created['id']}")


def test_secret_parameters_are_masked_in_every_answer(plain_server: Server, rule: dict[str, Any]) -> None:
    masked = {"cmd": "true", "sudo_password": "********"}
    for shown in (
        rule,
        plain_server.get("/v1/rules/peer.shown"),
        plain_server.get("/v1/rules", name="shown")[0],
        plain_server.get("/v1/rules/views/peer.shown"),
    ):
        assert shown["action"]["parameters"] == masked
    secret = plain_server.get("/v1/rules/peer.shown", show_secrets="true")
    assert secret["action"]["parameters"]["sudo_password"] == "open sesame"


def test_a_document_that_is_sent_back_keeps_its_secrets(plain_server: Server, rule: dict[str, Any]) -> None:
    changed = plain_server.call("PUT", "/v1/rules/peer.shown", {**rule, "description": "new"})
    assert changed.json["description"] == "new"
    secret = plain_server.get("/v1/rules/peer.shown", show_secrets="true")
    assert secret["action"]["parameters"]["sudo_password"] == "open sesame"


def test_a_view_of_an_enforcement_has_its_event_and_its_execution(plain_server: Server, rule: dict[str, Any]) -> None:
    plain_server.call("POST", "/v1/webhooks/shown", {"a": 1})
    (listed,) = until(lambda: plain_server.get("/v1/ruleenforcements/views", rule_id=rule["id"]), "the rule fired")
    shown = plain_server.get(f"/v1/ruleenforcements/views/{listed['id']}")
    assert shown["trigger_instance"]["payload"]["body"] == {"a": 1}
    assert shown["execution"]["action"]["ref"] == "core.local"
    assert plain_server.call("GET", f"/v1/ruleenforcements/views/{'0' * 24}").status == 404


def test_rules_are_listed_by_page_and_attribute(plain_server: Server, rule: dict[str, Any]) -> None:
    reply = plain_server.call("GET", "/v1/rules?name=shown&exclude_attributes=action,criteria")
    assert reply.headers["x-total-count"] == "1"
    assert not {"action", "criteria"} & reply.json[0].keys()
    for query in ("limit=0", "limit=-2", "include_attributes=nosuch", "include_attributes=ref&exclude_attributes=id"):
        assert plain_server.call("GET", f"/v1/rules?{query}").status == 400
        assert plain_server.call("GET", f"/v1/rules/views?{query}").status == 400


def test_the_event_stream_tells_of_rules_instances_and_enforcements(plain_server: Server) -> None:
    wanted = ("st2.rule__create", "st2.trigger_instance__create", "st2.trigger_instance__update",
              "st2.rule_enforcement__create", "st2.rule__delete")  # fmt: skip
    with Stream(plain_server.url, f"/stream/v1/stream?events={','.join(wanted)}") as stream:
        stream.read(1)
        created = plain_server.call("POST", "/v1/rules", {**RULE, "name": "told"}).json
        plain_server.call("POST", "/v1/webhooks/shown", {"a": 1})
        until(lambda: plain_server.get("/v1/ruleenforcements", rule_id=created["id"]), "the rule fired")
        plain_server.call("DELETE", f"/v1/rules/{created['id']}")
        events = {}
        for event in stream.events():
            events[event.name] = event.body
            if event.name == "st2.rule__delete":
                break
    assert set(events) == set(wanted)
    assert events["st2.rule__create"]["action"]["parameters"]["sudo_password"] == "********"
    assert events["st2.trigger_instance__create"]["status"] == "pending"
    assert events["st2.trigger_instance__update"]["status"] == "processed"
    assert events["st2.trigger_instance__create"]["payload"]["body"] == {"a": 1}
