"""The service registry tells which of StackStorm's services this process is."""

from __future__ import annotations

from tests.scenarios.live.server import Server


def test_every_group_has_this_process_as_its_member(plain_server: Server) -> None:
    groups = plain_server.get("/v1/service_registry/groups")["groups"]
    assert {"api", "auth", "stream", "actionrunner", "workflow_engine"} <= set(groups)
    for group in groups:
        [member] = plain_server.get(f"/v1/service_registry/groups/{group}/members")["members"]
        assert member["group_id"] == group
        assert member["capabilities"]["pid"] == plain_server.process.pid
        assert member["member_id"].endswith(f"_{plain_server.process.pid}")
        assert member["capabilities"].get("listen_port", plain_server.port) == plain_server.port


def test_a_group_that_is_none_is_404(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/v1/service_registry/groups/nosuch/members")
    assert (reply.status, reply.fault) == (404, 'Group with ID "nosuch" not found.')
