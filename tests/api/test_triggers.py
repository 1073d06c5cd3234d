"""Trigger types, triggers and their instances over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import Server

BODY: dict[str, Any] = {
    "name": "opened",
    "pack": "doors",
    "payload_schema": {"type": "object", "properties": {"door": {"type": "integer"}}, "required": ["door"]},
}


@pytest.fixture
def trigger_type(plain_server: Server) -> Iterator[dict[str, Any]]:
    made = plain_server.call("POST", "/v1/triggertypes", BODY)
    assert made.status == 201, made
    yield made.json
    plain_server.call("DELETE", "/v1/triggertypes/doors.opened")


def test_a_trigger_type_is_listed_shown_changed_and_removed(plain_server: Server, trigger_type: dict[str, Any]) -> None:
    assert plain_server.get("/v1/triggertypes/doors.opened") == trigger_type
    assert plain_server.get("/v1/triggertypes", pack="doors") == [trigger_type]
    changed = plain_server.call("PUT", "/v1/triggertypes/doors.opened", {**BODY, "description": "new"})
    assert (changed.status, changed.json) == (200, {**trigger_type, "description": "new"})
    assert plain_server.call("POST", "/v1/triggertypes", BODY).status == 409
    [trigger] = plain_server.get("/v1/triggers", type="doors.opened")
    assert plain_server.call("DELETE", "/v1/triggertypes/doors.opened").status == 204
    for path in ("/v1/triggertypes/doors.opened", f"/v1/triggers/{trigger['id']}"):
        assert plain_server.call("GET", path).status == 404


def test_the_trigger_types_of_the_core_pack_are_there(plain_server: Server) -> None:
    refs = {each["ref"] for each in plain_server.get("/v1/triggertypes", pack="core", limit=-1)}
    assert {"core.st2.webhook", "core.st2.IntervalTimer", "core.st2.generic.actiontrigger"} <= refs


def test_a_trigger_is_created_changed_and_removed(plain_server: Server) -> None:
    body = {"type": "core.st2.webhook", "parameters": {"url": "made/by/hand"}}
    made = plain_server.call("POST", "/v1/triggers", body)
    assert made.status == 201
    path = f"/v1/triggers/{made.json['id']}"
    assert plain_server.get(path) == made.json
    moved = plain_server.call("PUT", path, {**body, "parameters": {"url": "moved"}})
    assert (moved.status, moved.json["id"], moved.json["parameters"]) == (200, made.json["id"], {"url": "moved"})
    assert plain_server.call("POST", "/v1/webhooks/made/by/hand", {}).status == 404
    assert plain_server.call("POST", "/v1/webhooks/moved", {}).status == 202
    assert plain_server.call("DELETE", path).status == 204
    assert plain_server.call("POST", "/v1/webhooks/moved", {}).status == 404


def test_an_event_must_fit_its_type_and_is_listed(plain_server: Server, trigger_type: dict[str, Any]) -> None:
    def send(payload: Any) -> Any:
        return plain_server.call("POST", "/v1/webhooks/st2", {"trigger": "doors.opened", "payload": payload})

    assert send({"door": 7}).status == 202
    refused = send({"door": "front"})
    assert (refused.status, "door" in refused.fault) == (400, True)
    [listed] = plain_server.get("/v1/triggerinstances", trigger="doors.opened")
    assert listed["payload"] == {"door": 7}
    assert plain_server.get(f"/v1/triggerinstances/{listed['id']}")["trigger"] == "doors.opened"
    assert plain_server.call("GET", f"/v1/triggerinstances/{'f' * 24}").status == 404
