"""Actions and runner types over HTTP."""

from __future__ import annotations

import pytest
from tests.scenarios.live.server import Server


def test_all_actions_are_listed_without_a_limit(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/v1/actions")
    refs = [item["ref"] for item in reply.json]
    assert {"core.noop", "core.local", "core.local_sudo", "core.echo", "core.error", "core.uuid"} <= set(refs)
    assert {"examples.countdown", "examples.firehose", "live.puppet"} <= set(refs)
    assert reply.headers["x-total-count"] == str(len(refs))
    assert "x-limit" not in reply.headers
    assert [item["ref"] for item in plain_server.get("/v1/actions", limit=2, offset=1)] == refs[1:3]


def test_actions_are_filtered(plain_server: Server) -> None:
    assert {item["pack"] for item in plain_server.get("/v1/actions", pack="live")} == {"live"}
    [action] = plain_server.get("/v1/actions", pack="core", name="local")
    assert action["ref"] == "core.local"
    assert [item["ref"] for item in plain_server.get("/v1/actions/", id=action["id"])] == ["core.local"]
    assert plain_server.get("/v1/actions", pack="no-such") == []


def test_attributes_of_actions_are_chosen(plain_server: Server) -> None:
    for item in plain_server.get("/v1/actions", pack="live", include_attributes="ref,description"):
        assert {"ref", "description", "id"} <= set(item)
        assert "entry_point" not in item
    assert all("description" not in item for item in plain_server.get("/v1/actions", exclude_attributes="description"))


def test_an_action_is_found_by_ref_and_by_id(plain_server: Server) -> None:
    action = plain_server.get("/v1/actions/live.typed")
    assert plain_server.get(f"/v1/actions/{action['id']}") == action
    assert action["parameters"]["count"] == {"type": "integer", "required": True, "minimum": 0}
    assert plain_server.get("/v1/actions/live.disabled")["enabled"] is False


@pytest.mark.parametrize("ref", ["no.such", "core", "0123456789abcdef01234567", "core.local.more", "%2e%2e"])
def test_an_unknown_action_is_404(plain_server: Server, ref: str) -> None:
    reply = plain_server.call("GET", f"/v1/actions/{ref}")
    assert (reply.status, bool(reply.fault)) == (404, True)


def test_runner_types_are_listed_and_found(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/v1/runnertypes")
    names = {item["name"] for item in reply.json}
    assert {"noop", "local-shell-cmd", "local-shell-script"} <= names
    assert reply.headers["x-limit"] == "100"
    [found] = plain_server.get("/v1/runnertypes/", name="noop")
    assert plain_server.get("/v1/runnertypes/noop") == found
    assert plain_server.get(f"/v1/runnertypes/{found['id']}") == found
    assert plain_server.get("/v1/runnertypes", name="no-such") == []
    assert plain_server.call("GET", "/v1/runnertypes/no-such").status == 404
