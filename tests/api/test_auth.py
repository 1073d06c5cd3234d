"""A server that asks who one is: every kind of credential on every kind of endpoint."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving
from tests.scenarios.live.wire import Reply, Stream

from squall.adapters.htpasswd import write
from squall.testing.waiting import until

SHA_RIGHT = "{SHA}" + base64.b64encode(hashlib.sha1(b"right").digest()).decode()
MISSING = "Unauthorized - One of Token or API key required."
WRONG = "Invalid or missing credentials"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("asking")
    write(home / "data" / "htpasswd", {"ada": SHA_RIGHT, "bob": SHA_RIGHT, "eve": SHA_RIGHT})
    with serving(home, packs, "--auth", env={**QUICK, "SQUALL_AUTH_ADMINS": "ada"}) as found:
        yield found


def basic(user: str, password: str = "right") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def login(server: Server, user: str = "ada", body: Any = None, path: str = "/auth/v1/tokens") -> Reply:
    return server.call("POST", path, body if body is not None else {}, headers=basic(user))


@pytest.fixture(scope="module")
def token(asking: Server) -> str:
    return str(login(asking).json["token"])


@pytest.fixture(scope="module")
def bob(asking: Server) -> dict[str, str]:
    """The headers of a user who is no administrator. He logs in once, because a log-in takes long on purpose."""
    return {"X-Auth-Token": login(asking, "bob").json["token"]}


@pytest.fixture(scope="module")
def key(asking: Server, token: str) -> dict[str, Any]:
    made = asking.call("POST", "/v1/apikeys", {"metadata": {"for": "test"}}, headers={"X-Auth-Token": token})
    assert made.status == 201
    found: dict[str, Any] = made.json
    return found


def get(server: Server, path: str, headers: Mapping[str, str] | None = None) -> Reply:
    return server.call("GET", path, headers=headers)


def test_a_token_is_made_as_recorded(asking: Server) -> None:
    for path in ("/auth/v1/tokens", "/auth/tokens"):
        reply = login(asking, body={"ttl": 60, "bogus": 1}, path=path)
        assert reply.status == 201
        assert list(reply.json) == ["user", "token", "expiry", "metadata", "service", "id"]
        assert (reply.json["user"], reply.json["metadata"], reply.json["service"]) == ("ada", {}, False)
        assert len(reply.json["token"]) == 32
        assert reply.headers["x-api-url"] == f"{asking.url}/api/v1"
        cookie = reply.headers["set-cookie"]
        assert cookie.startswith(f"auth-token={reply.json['token']};")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"ttl": 1_000_000_000}, "TTL specified 1000000000 is greater than max allowed 86400."),
        ({"ttl": 0}, "0 is less than the minimum of 1"),
        ({"ttl": -5}, "-5 is less than the minimum of 1"),
        ({"ttl": "abc"}, "'abc' is not of type 'integer', 'null'"),
        ({"user": "bob", "ttl": 60}, "Current user is not a service and cannot request impersonated tokens"),
    ],
)
def test_a_token_that_cannot_be_had_is_refused_as_recorded(asking: Server, body: Any, text: str) -> None:
    reply = login(asking, body=body)
    assert (reply.status, reply.fault) == (400, text)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ada", "wrong"),
        basic("nobody"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
    ],
)
def test_a_wrong_log_in_gives_no_hint(asking: Server, headers: dict[str, str]) -> None:
    reply = asking.call("POST", "/auth/v1/tokens", {}, headers=headers)
    assert (reply.status, reply.fault) == (401, WRONG)
    assert login(asking).status == 201


ENDPOINTS = [
    ("GET", "/"),
    ("GET", "/v1/"),
    ("GET", "/v1/user"),
    ("GET", "/v1/executions"),
    ("POST", "/v1/executions"),
    ("GET", "/v1/executions/last/output"),
    ("GET", "/v1/actions"),
    ("GET", "/v1/apikeys"),
    ("GET", "/metrics"),
    ("GET", "/stream/v1/stream"),
    ("GET", "/stream/v1/executions/last/output"),
    ("POST", "/auth/v1/tokens/validate"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, MISSING),
        ({"X-Auth-Token": "nope"}, "Unauthorized"),
        ({"Authorization": "Bearer nope"}, "Unauthorized"),
        ({"Authorization": "Basic YTpi"}, MISSING),
        ({"Cookie": "auth-token=nope", "Origin": "{url}"}, "Unauthorized"),
    ],
)
def test_nothing_is_answered_without_a_credential(
    asking: Server, method: str, path: str, headers: dict[str, str], text: str
) -> None:
    given = {name: value.replace("{url}", asking.url) for name, value in headers.items()}
    reply = asking.call(method, path, {} if method == "POST" else None, headers=given)
    assert (reply.status, reply.fault) == (401, text)


def test_health_and_the_question_for_single_sign_on_are_for_everybody(asking: Server) -> None:
    assert get(asking, "/healthz").status == 200
    assert get(asking, "/readyz").status == 200
    assert get(asking, "/auth/v1/sso").json == {"enabled": False}
    assert get(asking, "/auth/v1/sso/request").status == 500


def test_an_expired_token_says_so(asking: Server) -> None:
    token = login(asking, body={"ttl": 1}).json["token"]
    with Stream(asking.url, f"/stream/v1/stream?x-auth-token={token}") as stream:
        stream.rest()  # It ends by itself, with the token.
    reply = get(asking, "/v1/user", {"X-Auth-Token": token})
    assert (reply.status, reply.fault) == (401, "Unauthorized - Token has expired.")


@pytest.mark.parametrize("header", ["X-Auth-Token", "Authorization"])
def test_a_token_tells_who_one_is(asking: Server, token: str, header: str) -> None:
    reply = get(asking, "/v1/user", {header: f"Bearer {token}" if header == "Authorization" else token})
    found = reply.json
    expire = found["authentication"].pop("token_expire")
    assert len(expire) == len("2026-11-23T19:35:23Z")
    assert found == {
        "username": "ada",
        "authentication": {"method": "authentication token", "location": "header"},
        "rbac": {"enabled": False, "roles": [], "is_admin": True},
    }
    assert reply.headers["set-cookie"].startswith("auth-token=")


def test_an_api_key_tells_who_one_is(asking: Server, key: dict[str, Any]) -> None:
    reply = get(asking, "/v1/user", {"St2-Api-Key": key["key"]})
    assert reply.json["authentication"] == {"method": "API key", "location": "header"}
    assert "set-cookie" not in reply.headers


def test_api_keys_look_as_recorded(asking: Server, token: str, key: dict[str, Any]) -> None:
    who = {"X-Auth-Token": token}
    assert list(key) == ["uid", "user", "metadata", "created_at", "enabled", "id", "key"]
    listed = get(asking, "/v1/apikeys", who)
    assert listed.headers["x-limit"] == "50"
    shown = next(each for each in listed.json if each["id"] == key["id"])
    assert (shown["uid"], shown["key_hash"]) == ("********", "********")
    revealed = get(asking, f"/v1/apikeys/{key['id']}?show_secrets=True", who).json
    assert revealed["uid"] == f"api_key:{revealed['key_hash']}" == key["uid"]
    assert get(asking, f"/v1/apikeys/{key['key']}", who).json == shown


def test_api_keys_are_disabled_and_removed(asking: Server, token: str) -> None:
    who = {"X-Auth-Token": token}
    made = asking.call("POST", "/v1/apikeys", {"user": "bot"}, headers=who).json
    path = f"/v1/apikeys/{made['id']}"
    with Stream(asking.url, f"/stream/v1/stream?st2-api-key={made['key']}") as stream:
        assert stream.status == 200
        changed = asking.call("PUT", path, {"user": "bot", "enabled": False, "id": made["id"]}, headers=who)
        assert (changed.status, changed.json["enabled"]) == (200, False)
        stream.rest()  # It ends, as the key opens nothing any more.
    assert get(asking, "/v1/user", {"St2-Api-Key": made["key"]}).fault == "Unauthorized - API key is disabled."
    wrong = asking.call("PUT", path, {"enabled": True}, headers=who)
    assert (wrong.status, "Field is required: ['user']" in wrong.fault) == (400, True)
    assert asking.call("DELETE", path, headers=who).status == 204
    gone = asking.call("DELETE", path, headers=who)
    assert (gone.status, gone.fault) == (404, f"ApiKey with key or id={made['id']} not found.")
    bogus = asking.call("POST", "/v1/apikeys", {"user": "bot", "bogus": 1}, headers=who)
    assert (bogus.status, bogus.fault) == (400, "Additional properties are not allowed ('bogus' was unexpected)")
    assert asking.call("POST", "/v1/apikeys", raw=b"", headers=who).status == 201


def test_the_query_carries_credentials_of_streams_only(asking: Server, token: str, key: dict[str, Any]) -> None:
    for query in (f"x-auth-token={token}", f"st2-api-key={key['key']}"):
        with Stream(asking.url, f"/stream/v1/stream?{query}&events=a") as stream:
            assert stream.status == 200
        assert get(asking, f"/v1/user?{query}").status == 401
        assert asking.call("POST", f"/v1/executions?{query}", {}).status == 401
    log = (asking.data_dir / "logs" / "server.log").read_text()
    assert token not in log
    assert key["key"] not in log


def test_the_cookie_opens_reads_and_writes_of_our_own_pages_only(asking: Server, token: str) -> None:
    cookie = {"Cookie": f"other=1; auth-token={token}"}
    assert get(asking, "/v1/user", cookie).json["authentication"]["location"] == "cookie"
    body = {"action": "core.noop"}
    assert asking.call("POST", "/v1/executions", body, headers=cookie).status == 403
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{asking.port + 1}"):
        assert asking.call("POST", "/v1/executions", body, headers={**cookie, "Origin": origin}).status == 403
        assert get(asking, "/v1/user", {**cookie, "Origin": origin}).status == 403
    assert asking.call("POST", "/v1/executions", body, headers={**cookie, "Origin": asking.url}).status == 201


def test_a_stream_ends_when_its_token_is_taken_back(asking: Server) -> None:
    token = login(asking).json["token"]
    made = asking.call(
        "POST", "/v1/executions", {"action": "core.local", "parameters": {"cmd": "echo hello; sleep 30"}},
        headers={"X-Auth-Token": token},
    ).json  # fmt: skip
    with (
        Stream(asking.url, f"/stream/v1/stream?x-auth-token={token}") as feed,
        Stream(asking.url, f"/stream/v1/executions/{made['id']}/output?x-auth-token={token}") as output,
    ):
        first = next(iter(output.events()))
        assert first.id
        assert asking.call("DELETE", "/auth/v1/tokens", headers={"X-Auth-Token": token}).status == 204
        feed.rest()
        output.rest()
    again = {"X-Auth-Token": login(asking).json["token"]}
    asking.call("DELETE", f"/v1/executions/{made['id']}", headers=again)
    with Stream(
        asking.url, f"/stream/v1/executions/{made['id']}/output", {**again, "Last-Event-ID": first.id}
    ) as rest:  # fmt: skip
        assert b"hello" not in rest.rest()


def test_what_is_run_is_run_in_the_callers_name(asking: Server, bob: dict[str, str], token: str) -> None:
    made = asking.call("POST", "/v1/executions", {"action": "core.noop"}, headers=bob).json
    assert made["context"]["user"] == "bob"
    other = asking.call("POST", "/v1/executions", {"action": "core.noop", "user": "ada"}, headers=bob)
    assert other.status == 403
    ada = {"X-Auth-Token": token}
    made = asking.call("POST", "/v1/executions", {"action": "core.noop", "user": "bob"}, headers=ada).json
    assert made["context"]["user"] == "bob"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/storage/purge", {"older_than_days": 0}),
        ("POST", "/v1/policies", {"name": "p", "pack": "core"}),
        ("PUT", "/v1/policies/core.p", {"name": "p", "pack": "core"}),
        ("DELETE", "/v1/policies/core.p", None),
        ("POST", "/v1/executions", {"action": "packs.uninstall", "parameters": {"packs": ["examples"]}}),
        ("POST", "/v1/executions", {"action": "packs.delete", "parameters": {"packs": ["examples"]}}),
        ("POST", "/v1/executions", {"action": "{id}", "parameters": {"packs": ["examples"]}}),
        ("POST", "/v1/packs/uninstall", {"packs": ["examples"]}),
        ("POST", "/v1/packs/install", {"packs": ["examples"]}),
        ("POST", "/v1/packs/register", {}),
        ("DELETE", "/v1/packs/examples", None),
        ("PUT", "/v1/configs/examples", {}),
        ("POST", "/v1/actions", {"name": "a"}),
        ("DELETE", "/v1/actions/examples.countdown", None),
    ],
)
def test_only_administrators_administer(
    asking: Server, bob: dict[str, str], token: str, method: str, path: str, body: Any
) -> None:
    if body and body.get("action") == "{id}":
        body = {**body, "action": get(asking, "/v1/actions/packs.uninstall", {"X-Auth-Token": token}).json["id"]}
    reply = asking.call(method, path, body, headers=bob)
    assert reply.status == 403, reply
    assert "administrator" in reply.fault


def test_running_an_administrators_execution_again_takes_an_administrator(
    asking: Server, bob: dict[str, str], token: str
) -> None:
    ada = {"X-Auth-Token": token}
    made = asking.call(
        "POST", "/v1/executions", {"action": "packs.unload", "parameters": {"packs": ["nosuchpack"]}}, headers=ada
    ).json
    assert asking.call("POST", f"/v1/executions/{made['id']}/re_run", {}, headers=bob).status == 403
    [told] = asking.call("POST", "/v1/executions/re_run", {"ids": [made["id"]]}, headers=bob).json
    assert "administrator" in told["faultstring"]


def test_secrets_are_shown_to_administrators_who_ask(asking: Server, bob: dict[str, str], token: str) -> None:
    body = {"action": "core.local_sudo", "parameters": {"cmd": "true", "sudo_password": "hidden-value"}}
    made = asking.call("POST", "/v1/executions", body, headers=bob).json
    path = f"/v1/executions/{made['id']}?show_secrets=True"
    assert b"hidden-value" not in get(asking, path, bob).raw
    assert b"hidden-value" in get(asking, path, {"X-Auth-Token": token}).raw


def test_results_are_filtered_by_administrators_only(asking: Server, bob: dict[str, str], token: str) -> None:
    for path in ("result.stdout:1234", "liveaction.result.stdout:1234"):
        assert get(asking, f"/v1/executions?filter={path}", bob).status == 403
        assert get(asking, f"/v1/executions?filter={path}", {"X-Auth-Token": token}).json == []
    assert get(asking, "/v1/executions?filter=status:bogus", bob).json == []


def test_an_action_has_a_token_of_its_own_while_it_runs(asking: Server, bob: dict[str, str], tmp_path: Path) -> None:
    go, kept = tmp_path / "go", tmp_path / "token"
    command = (
        f'echo "token $ST2_ACTION_AUTH_TOKEN"; printf %s "$ST2_ACTION_AUTH_TOKEN" > {kept}.new; mv {kept}.new {kept}; '
    )
    command += f"while ! [ -e {go} ]; do sleep 0.05; done"
    body = {"action": "core.local", "parameters": {"cmd": command}}
    made = asking.call("POST", "/v1/executions", body, headers=bob).json
    with Stream(asking.url, f"/stream/v1/executions/{made['id']}/output", bob) as stream:
        assert next(iter(stream.events())).body["data"].startswith("token ********")
    until(kept.exists, "the action has written its token")
    own = {"X-Auth-Token": kept.read_text()}
    assert get(asking, "/v1/user", own).json["username"] == "bob"
    assert "set-cookie" not in get(asking, "/v1/user", own).headers
    go.touch()
    with Stream(asking.url, f"/v1/executions/{made['id']}/output", bob) as stream:
        stream.rest()
    for _ in range(200):
        if get(asking, "/v1/user", own).status == 401:
            break
    assert get(asking, "/v1/user", own).fault == "Unauthorized"


def test_tokens_are_validated(asking: Server, token: str) -> None:
    who = {"X-Auth-Token": token}
    ask = "/auth/v1/tokens/validate"
    assert asking.call("POST", ask, {"token": token}, headers=who).json == {"valid": True}
    assert asking.call("POST", ask, {"token": "nope"}, headers=who).json == {"valid": False}
    empty = asking.call("POST", ask, {}, headers=who)
    assert (empty.status, empty.fault) == (400, "Token is not provided.")


def test_without_authentication_everybody_is_the_servers_user(plain_server: Server) -> None:
    found = plain_server.get("/v1/user")
    assert found["rbac"]["is_admin"] is True
    assert found["authentication"]["method"] == "none"


def test_our_own_command_logs_in_and_out(asking: Server) -> None:
    assert asking.squall("execution", "list").status == 2
    done = asking.squall("login", "eve", "--password-stdin", stdin=b"right\n")
    assert (done.status, done.out.startswith(b"logged in as eve until ")) == (0, True), done.err
    kept = asking.home / ".config" / "squall" / "tokens.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    token = json.loads(kept.read_text())[asking.url]
    assert asking.squall("whoami").out.startswith(b"eve (by authentication token until ")
    assert asking.squall("run", "core.local", "cmd=echo seen").out.endswith(b"seen\n")
    assert asking.squall("logout").status == 0
    assert asking.squall("whoami").status == 2
    assert get(asking, "/v1/user", {"X-Auth-Token": token}).status == 401


def test_users_come_and_go_while_the_server_runs(asking: Server) -> None:
    assert asking.squall("user", "add", "tim", "--password-stdin", stdin=b"first\n").status == 0
    assert asking.squall("user", "add", "tim", "--password-stdin", stdin=b"first\n").status == 2
    token = asking.call("POST", "/auth/v1/tokens", {}, headers=basic("tim", "first")).json["token"]
    assert asking.squall("user", "passwd", "tim", "--password-stdin", stdin=b"second\n").status == 0
    assert asking.call("POST", "/auth/v1/tokens", {}, headers=basic("tim", "second")).status == 201
    assert b"tim" in asking.squall("user", "list").out
    assert asking.squall("user", "remove", "tim").status == 0
    assert get(asking, "/v1/user", {"X-Auth-Token": token}).status == 401
    assert asking.squall("user", "remove", "tim").status == 2
