"""The datastore over HTTP, as recorded of StackStorm."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from tests.scenarios.live.server import Server


def put(server: Server, name: str, **body: Any) -> Any:
    return server.call("PUT", f"/v1/keys/{quote(name)}", {"name": name, "value": "v", **body})


@pytest.mark.parametrize("name", ["k1", "a:b", "with space", "grüß", "team/db/password", "a//b", "views/x"])
def test_a_key_is_written_read_and_removed(plain_server: Server, name: str) -> None:
    written = put(plain_server, name)
    assert (written.status, written.json["name"], written.json["encrypted"]) == (200, name, False)
    assert plain_server.get(f"/v1/keys/{quote(name)}") == written.json
    path = f"/v1/keys/{quote(name)}"
    assert plain_server.call("DELETE", path).status == 204
    gone = plain_server.call("GET", path)
    assert gone.status == 404
    assert gone.json["faultstring"] == f'The key "{name}" does not exist in the StackStorm datastore.'


@pytest.mark.parametrize("name", ["/at/the/start", "at/the/end/", "a/./../b", "/"])
def test_a_slash_that_is_encoded_is_a_part_of_the_name_wherever_it_stands(plain_server: Server, name: str) -> None:
    assert put(plain_server, "at/the/end", value="other").status == 200
    path = f"/v1/keys/{quote(name, safe='')}"
    written = plain_server.call("PUT", path, {"name": name, "value": "v"})
    assert (written.status, written.json["name"]) == (200, name)
    assert plain_server.get(path)["value"] == "v"
    assert [key["name"] for key in plain_server.get("/v1/keys", name=name)] == [name]
    assert plain_server.call("DELETE", path).status == 204
    assert plain_server.call("GET", path).status == 404
    assert plain_server.get("/v1/keys/at/the/end/")["value"] == "other"


def test_our_own_command_and_templates_reach_keys_with_slashes(plain_server: Server) -> None:
    assert plain_server.squall("key", "set", "app/db", "here").status == 0
    assert plain_server.squall("key", "get", "app/db").out == b"here\n"
    execution = plain_server.shell("echo {{ st2kv.system['app/db'] }}")
    assert plain_server.ended(execution)["result"]["stdout"] == "here"
    assert plain_server.squall("key", "delete", "app/db").status == 0
    assert plain_server.squall("key", "get", "app/db").status == 2


def test_a_secret_key_is_shown_only_when_it_is_asked_for(plain_server: Server) -> None:
    written = put(plain_server, "secret", value="topsecret", secret=True)
    assert (written.json["secret"], written.json["encrypted"]) == (True, True)
    assert "topsecret" not in written.json["value"]
    assert plain_server.get("/v1/keys/secret", decrypt="true")["value"] == "topsecret"
    [listed] = plain_server.get("/v1/keys", prefix="secret", decrypt="true")
    assert (listed["value"], listed["encrypted"]) == ("topsecret", False)


def test_scopes_are_apart_and_listed_together(plain_server: Server) -> None:
    put(plain_server, "scoped.s")
    put(plain_server, "scoped.u", scope="user")
    assert plain_server.call("GET", "/v1/keys/scoped.u").status == 404
    assert plain_server.get("/v1/keys/scoped.u", scope="st2kv.user")["scope"] == "st2kv.user"
    names = [key["name"] for key in plain_server.get("/v1/keys", scope="all", prefix="scoped.")]
    assert names == ["scoped.s", "scoped.u"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "k", "value": 5}, "5 is not of type 'string'"),
        ({"name": "k", "value": None}, "None is not of type 'string'"),
        ({"name": "k"}, "'value' is a required property"),
        ({"value": "x"}, "'name' is a required property"),
        ({"name": "k", "value": "x", "ttl": "x"}, "'x' is not of type 'integer'"),
        ({"name": "k", "value": "x", "scope": "bogus"}, "Scope st2kv.bogus is not in allowed scopes list"),
        ({"name": "k", "value": "z", "encrypted": True}, "Failed to verify the integrity"),
    ],
)
def test_what_is_wrong_is_told_in_stackstorms_words(plain_server: Server, body: Any, told: str) -> None:
    reply = plain_server.call("PUT", "/v1/keys/k", body)
    assert reply.status == 400
    assert told in reply.json["faultstring"]


def test_another_users_keys_are_forbidden(plain_server: Server) -> None:
    for reply in (
        put(plain_server, "k", scope="user", user="somebody-else"),
        plain_server.call("GET", "/v1/keys?scope=user&user=somebody-else"),
        plain_server.call("DELETE", "/v1/keys/k?scope=user&user=somebody-else"),
    ):
        assert reply.status == 403
        assert reply.json["faultstring"] == '"user" attribute can only be provided by admins when RBAC is enabled'


def test_a_listed_key_has_what_a_client_needs_to_read_it(plain_server: Server) -> None:
    put(plain_server, "few", value="1")
    [shown] = plain_server.get("/v1/keys", name="few", include_attributes="name")
    assert set(shown) == {"id", "uid", "scope", "name", "value", "secret", "encrypted"}
