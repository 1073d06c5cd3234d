"""Webhooks over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.scenarios.live.server import Server


@pytest.fixture
def url(plain_server: Server) -> Iterator[str]:
    """The URL of a webhook that no rule waits for."""
    body = {"type": "core.st2.webhook", "parameters": {"url": "hooks/plain"}}
    made = plain_server.call("POST", "/v1/triggers", body)
    assert made.status == 201
    yield "/v1/webhooks/hooks/plain"
    plain_server.call("DELETE", f"/v1/triggers/{made.json['id']}")


@pytest.mark.parametrize("slashes", ["{}", "{}/"])
def test_an_accepted_event_is_echoed_with_the_place_of_its_instance(
    plain_server: Server, url: str, slashes: str
) -> None:
    sent = plain_server.call("POST", slashes.format(url), {"a": [1, 123456789012345678901234567890]})
    assert (sent.status, sent.json) == (202, {"a": [1, 123456789012345678901234567890]})
    instance = plain_server.get(sent.headers["location"])
    assert instance["id"] == sent.headers["x-squall-trigger-instance"]
    assert instance["payload"]["body"] == sent.json
    assert {"headers", "headers_lower"} < set(instance["payload"])


def test_credentials_do_not_get_into_the_event(plain_server: Server, url: str) -> None:
    sent = plain_server.call("POST", url, {}, headers={"X-Auth-Token": "secret", "X-Other": "kept"})
    payload = plain_server.get(sent.headers["location"])["payload"]
    assert payload["headers_lower"]["x-other"] == "kept"
    assert "x-auth-token" not in payload["headers_lower"]


def test_an_unknown_hook_is_not_found(plain_server: Server) -> None:
    reply = plain_server.call("POST", "/v1/webhooks/no/such", {})
    assert (reply.status, reply.fault) == (404, "Webhook no/such not registered with st2")


def test_webhooks_are_listed_and_shown(plain_server: Server, url: str) -> None:
    [listed] = [each for each in plain_server.get("/v1/webhooks") if each["parameters"] == {"url": "hooks/plain"}]
    assert plain_server.get(url) == listed


@pytest.mark.parametrize("body", ["[", "7", '"text"', '{"a": 1e999}', "[" * 100_000])
def test_what_is_no_object_or_list_is_refused(plain_server: Server, url: str, body: str) -> None:
    reply = plain_server.call("POST", url, raw=body.encode(), headers={"Content-Type": "application/json"})
    assert reply.status == 400
