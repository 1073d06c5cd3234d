"""Explanations, backtests and decisions of rules over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import Server
from tests.scenarios.live.wire import Stream

from squall.testing.waiting import until

RULE: dict[str, Any] = {
    "name": "explained",
    "pack": "peer",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "explained"}},
    "criteria": {"trigger.body.n": {"type": "gt", "pattern": 5}},
    "action": {"ref": "core.noop"},
}


@pytest.fixture
def rule(plain_server: Server) -> Iterator[dict[str, Any]]:
    created = plain_server.call("POST", "/v1/rules", RULE).json
    yield created
    plain_server.call("DELETE", f"/v1/rules/{created['id']}")


def sent(server: Server, n: int) -> str:
    """Sends an event, and waits for its evaluation. Returns the instance's id."""
    reply = server.call("POST", "/v1/webhooks/explained", {"n": n})
    instance = str(reply.headers["x-squall-trigger-instance"])
    path = f"/v1/triggerinstances/{instance}"
    until(lambda: server.get(path)["status"] == "processed", "the event is evaluated")
    return instance


def test_a_rule_is_explained_for_a_payload_and_for_an_event(plain_server: Server, rule: dict[str, Any]) -> None:
    instance = sent(plain_server, 3)
    body = {"rule": "peer.explained", "instance": instance}
    by_event = plain_server.call("POST", "/v1/rules/explain", body).json
    assert (by_event["outcome"], by_event["criteria"][0]["value"]) == ("no_match", 3)
    given = {"rule": {**RULE, "criteria": {}}, "payload": {}}
    assert plain_server.call("POST", "/v1/rules/explain", given).json["outcome"] == "would_fire"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "'rule' is a required property"),
        ({"rule": "peer.explained"}, 400, "either instance"),
        ({"rule": "peer.explained", "payload": {}, "instance": "0" * 24}, 400, "either instance"),
        ({"rule": "peer.explained", "instance": "0" * 24}, 404, "Unable to identify"),
        ({"rule": "peer.nosuch", "payload": {}}, 404, "peer.nosuch"),
        ({"rule": {"name": "x"}, "payload": {}}, 400, "'trigger' is a required property"),
        ({"rule": "peer.explained", "payload": {}, "more": 1}, 400, "'more' was unexpected"),
    ],
)
def test_a_wrong_question_is_refused(
    plain_server: Server, rule: dict[str, Any], body: dict[str, Any], status: int, words: str
) -> None:
    reply = plain_server.call("POST", "/v1/rules/explain", body)
    assert (reply.status, words in reply.json["faultstring"]) == (status, True)


def test_an_event_explains_all_rules_of_its_trigger(plain_server: Server, rule: dict[str, Any]) -> None:
    instance = sent(plain_server, 6)
    answer = plain_server.get(f"/v1/triggerinstances/{instance}/explain")
    assert [each["outcome"] for each in answer["rules"] if each["rule"]["ref"] == "peer.explained"] == ["fired"]
    assert plain_server.call("GET", f"/v1/triggerinstances/{'0' * 24}/explain").status == 404


def test_an_edited_rule_is_backtested(plain_server: Server, rule: dict[str, Any]) -> None:
    for n in (1, 6):
        sent(plain_server, n)
    body = {"rule": {**RULE, "criteria": {}}, "from": plain_server.get("/v1/triggerinstances", limit=2)[1]["id"]}
    assert plain_server.call("POST", "/v1/rules/backtest", body).status == 400
    del body["from"]
    report = plain_server.call("POST", "/v1/rules/backtest", {**body, "limit": 2}).json
    assert (report["evaluated"], report["would_start"], report["unchanged"]) == (2, 1, 1)
    assert plain_server.call("POST", "/v1/rules/backtest", {**body, "limit": 0}).status == 400


def test_decisions_are_followed_and_resumed(plain_server: Server, rule: dict[str, Any]) -> None:
    sent(plain_server, 1)
    with Stream(plain_server.url, "/v1/rules/peer.explained/decisions?after=0") as stream:
        first = next(stream.events())
        assert (first.name, first.body["outcome"]) == ("decision", "no_match")
        sent(plain_server, 6)
        second = next(stream.events())
        assert second.body["outcome"] == "fired"
    with Stream(plain_server.url, f"/v1/rules/peer.explained/decisions?after={first.id}") as stream:
        assert next(stream.events()).id == second.id


def test_a_wrong_position_is_refused(plain_server: Server, rule: dict[str, Any]) -> None:
    reply = plain_server.call("GET", "/v1/rules/peer.explained/decisions?after=x")
    assert (reply.status, "after" in reply.json["faultstring"]) == (400, True)
    assert plain_server.call("GET", "/v1/rules/peer.nosuch/decisions").status == 404
