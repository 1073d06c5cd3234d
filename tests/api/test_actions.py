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
    for asked in ("ref,description", "description"):
        for item in plain_server.get("/v1/actions", pack="live", include_attributes=asked):
            assert set(item) == {"ref", "description", "id"}
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


def test_an_overview_has_the_parameters_of_the_runner_too(plain_server: Server) -> None:
    own = plain_server.get("/v1/actions/core.local")
    shown = plain_server.get("/v1/actions/views/overview/core.local")
    assert set(own["parameters"]) < set(shown["parameters"])
    assert {"cmd", "cwd", "env", "timeout", "sudo"} <= set(shown["parameters"])
    assert {**shown, "parameters": {}} == {**own, "parameters": {}}
    assert plain_server.get("/v1/actions/views/parameters/core.local") == {"parameters": shown["parameters"]}
    reply = plain_server.call("GET", "/v1/actions/views/overview?pack=core&name=local")
    assert reply.json == [shown]
    assert reply.headers["x-total-count"] == "1"
    [few] = plain_server.get("/v1/actions/views/overview", limit=1, include_attributes="name")
    assert set(few) == {"name", "ref", "id"}


def test_an_entry_point_is_the_file_of_the_action(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/v1/actions/views/entry_point/examples.countdown")
    action = plain_server.get("/v1/actions/examples.countdown")
    assert reply.status == 200
    assert reply.raw == plain_server.call("GET", f"/v1/packs/views/file/examples/actions/{action['entry_point']}").raw
    assert reply.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize("view", ["overview", "parameters", "entry_point"])
def test_a_view_of_no_action_is_404(plain_server: Server, view: str) -> None:
    reply = plain_server.call("GET", f"/v1/actions/views/{view}/core.nosuch")
    assert (reply.status, reply.fault) == (404, 'Resource with a reference or id "core.nosuch" not found')


def test_an_action_without_a_file_has_no_entry_point_to_show(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/v1/actions/views/entry_point/core.local")
    assert (reply.status, reply.fault) == (404, "Action ref_or_id=core.local has no entry_point to output")


def test_a_disabled_runner_runs_nothing_until_it_is_enabled(plain_server: Server) -> None:
    runner = plain_server.get("/v1/runnertypes/noop")
    try:
        # Clients send the whole document, of which only the switch counts.
        sent = {**runner, "enabled": False, "description": "changed"}
        reply = plain_server.call("PUT", "/v1/runnertypes/noop", sent)
        assert (reply.status, reply.json) == (200, {**runner, "enabled": False})
        assert plain_server.call("POST", "/v1/packs/register", {"packs": ["core"]}).status == 200
        assert plain_server.get(f"/v1/runnertypes/{runner['id']}")["enabled"] is False
        ended = plain_server.ended(plain_server.call("POST", "/v1/executions", {"action": "core.noop"}).json["id"])
        assert ended["status"] == "failed"
        assert 'Runner "noop" has been disabled' in ended["result"]["error"]
    finally:
        assert plain_server.call("PUT", "/v1/runnertypes/noop", {"enabled": True}).json == runner
    assert plain_server.call("PUT", "/v1/runnertypes/noop", {}).fault == "'enabled' is a required property"
    assert plain_server.call("PUT", "/v1/runnertypes/nosuch", {"enabled": True}).status == 404
