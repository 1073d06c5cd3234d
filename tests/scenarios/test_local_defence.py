"""A server without authentication answers to this machine, this user and no web page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

NOBODY = 65534
AS_NOBODY = """
import encodings.idna, http.client, os
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
connection = http.client.HTTPConnection("127.0.0.1", {port}, timeout=10)
connection.request("GET", "/v1/executions")
response = connection.getresponse()
print(response.status, response.read().decode())
"""


def asked_by_nobody(server: Server) -> str:
    """The answer that another user of this machine gets."""
    program = AS_NOBODY.format(uid=NOBODY, port=server.port)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.0.0.1:9101",
        "localhost:1",
        "[::1]:9101",
        "LOCALHOST",
        "api.localhost",
        "127.9.9.9",
    ],
)
def test_loopback_names_are_answered(plain_server: Server, host: str) -> None:
    assert plain_server.call("GET", "/v1/", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["example.com", "localhost.example.com", "127.0.0.1.example.com", "192.168.0.1:9101", "0.0.0.0", "", "evil:9101",
     "[::2]:9101", "localhost@example.com", "127.0.0.1, example.com"],
)  # fmt: skip
def test_other_names_are_refused(plain_server: Server, host: str) -> None:
    reply = plain_server.call("GET", "/v1/", headers={"Host": host})
    assert (reply.status, "Host" in reply.fault) == (403, True)


@pytest.mark.parametrize(
    "path", ["/v1/executions", "/stream/v1/stream", "/healthz", "/metrics", "/v1/executions/last/output"]
)
def test_a_foreign_host_is_refused_everywhere(plain_server: Server, path: str) -> None:
    assert plain_server.call("GET", path, headers={"Host": "example.com"}).status == 403


@pytest.mark.parametrize("origin", ["http://example.com", "null", "http://localhost:1", "https://127.0.0.1", ""])
def test_a_foreign_origin_is_refused(plain_server: Server, origin: str) -> None:
    for method, path in (("GET", "/v1/executions"), ("POST", "/v1/executions"), ("GET", "/stream/v1/stream")):
        body = {"action": "core.noop"} if method == "POST" else None
        assert plain_server.call(method, path, body, headers={"Origin": origin}).status == 403


def test_the_servers_own_origin_is_answered(plain_server: Server) -> None:
    assert plain_server.call("GET", "/v1/executions", headers={"Origin": plain_server.url}).status == 200


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", None],
)
def test_bodies_that_are_not_json_are_refused_and_make_nothing(plain_server: Server, kind: str | None) -> None:
    before = plain_server.call("GET", "/v1/executions?limit=1").headers["x-total-count"]
    headers = {"Content-Type": kind} if kind else {}
    for method, path in (
        ("POST", "/v1/executions"),
        ("POST", "/v1/executions/last/re_run"),
        ("PUT", "/v1/executions/x"),
    ):
        reply = plain_server.call(method, path, raw=b'{"action": "core.noop"}', headers=headers)
        assert (reply.status, "Content-Type" in reply.fault) == (415, True)
    assert plain_server.call("GET", "/v1/executions?limit=1").headers["x-total-count"] == before


def test_json_with_a_charset_is_taken(plain_server: Server) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert plain_server.call("POST", "/v1/executions", raw=b'{"action": "core.noop"}', headers=headers).status == 201


def test_a_delete_may_have_any_body(plain_server: Server) -> None:
    execution = plain_server.request("core.noop")
    reply = plain_server.call(
        "DELETE", f"/v1/executions/{execution}", raw=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert reply.status == 200


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_no_answer_allows_another_origin(plain_server: Server, method: str) -> None:
    for origin in (plain_server.url, "http://example.com"):
        body = {"action": "core.noop"} if method == "POST" else None
        reply = plain_server.call(method, "/v1/executions", body, headers={"Origin": origin})
        assert not [name for name in reply.headers if name.startswith("access-control-")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_this_machine_is_refused(plain_server: Server) -> None:
    answer = asked_by_nobody(plain_server)
    assert answer.startswith("403 ")
    assert "--allow-local-users" in answer


@pytest.fixture
def open_server(tmp_path: Path, packs: Path) -> Iterator[Server]:
    with serving(tmp_path, packs, "--allow-local-users", env=QUICK) as server:
        yield server


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_are_let_in_when_that_is_wanted(open_server: Server) -> None:
    assert asked_by_nobody(open_server).startswith("200 ")
