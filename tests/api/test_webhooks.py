"""Webhooks of a real server: recorded answers, signatures in place of credentials, duplicates, waits, the log."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.api.test_auth import SHA_RIGHT, login
from tests.doubles.senders import SECRETS, signed
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.rules import hooked
from tests.scenarios.live.server import Server, serving
from tests.scenarios.live.wire import Reply

from squall.adapters.htpasswd import write
from squall.testing.waiting import until

BODY = b'{"level": "high"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def hook(server: Server) -> str:
    hooked(server, "peer/hook", "core.local", {"trigger.body.level": {"type": "eq", "pattern": "high"}}, cmd="echo hi")
    return "/v1/webhooks/peer/hook"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("asking")
    write(home / "data" / "htpasswd", {"ada": SHA_RIGHT, "bob": SHA_RIGHT})
    with serving(home, packs, "--auth", env={**QUICK, "SQUALL_AUTH_ADMINS": "ada"}) as found:
        yield found


@pytest.fixture(scope="module")
def ada(asking: Server) -> dict[str, str]:
    return {"X-Auth-Token": str(login(asking).json["token"])}


@pytest.fixture(scope="module")
def bob(asking: Server) -> dict[str, str]:
    return {"X-Auth-Token": str(login(asking, "bob").json["token"])}


def post(server: Server, path: str, raw: bytes = BODY, headers: Mapping[str, str] | None = None) -> Reply:
    return server.call("POST", path, raw=raw, headers={**JSON, **(headers or {})})


@pytest.mark.parametrize(
    ("kind", "raw", "status", "answer"),
    [
        ("application/json", b'{"level": "high", "text": "fire"}', 202, {"level": "high", "text": "fire"}),
        ("application/json", b'{"level": "low"}', 202, {"level": "low"}),
        ("application/x-www-form-urlencoded", b"level=high&text=form", 202, {"level": ["high"], "text": ["form"]}),
        ("application/json", b'["a list"]', 202, ["a list"]),
        ("application/json", b"", 202, {}),
        ("application/vnd.x+json", b'{"a": 1}', 202, {"a": 1}),
        ("text/plain", b"plain", 400, "'plain' is not of type 'object', 'array'"),
        ("application/json", b"{bad", 400, "Failed to parse request body"),
    ],
)
def test_a_webhook_answers_as_recorded(
    server: Server, hook: str, kind: str, raw: bytes, status: int, answer: Any
) -> None:
    reply = server.call("POST", hook, raw=raw, headers={"Content-Type": kind})
    assert reply.status == status, reply
    if status == 202:
        assert reply.json == answer
        instance = reply.headers["x-squall-trigger-instance"]
        assert reply.headers["location"] == f"/v1/triggerinstances/{instance}"
        assert server.get(reply.headers["location"])["id"] == instance
    else:
        assert answer in reply.fault


def test_a_webhook_that_no_rule_has_is_not_found(server: Server) -> None:
    for method, path in (("POST", "/v1/webhooks/nosuch"), ("GET", "/v1/webhooks/nosuch")):
        reply = server.call(method, path, {} if method == "POST" else None)
        assert (reply.status, reply.fault) == (404, "Webhook nosuch not registered with st2")


def test_a_request_that_waits_gets_the_executions_and_can_follow_their_output(server: Server, hook: str) -> None:
    reply = post(server, f"{hook}?wait=60")
    assert reply.status == 202
    answer = reply.json
    assert (answer["verdict"], answer["is_complete"]) == ("accepted", True)
    assert answer["trigger_instance"]["id"] == reply.headers["x-squall-trigger-instance"]
    [enforcement], [execution] = answer["enforcements"], answer["executions"]
    assert (enforcement["execution_id"], enforcement["rule"]["ref"]) == (execution["id"], "default.peer-hook")
    assert execution["stream_url"] == f"{server.url}/v1/executions/{execution['id']}/output"
    assert server.ended(execution["id"])["status"] == "succeeded"
    assert b"hi" in server.call("GET", execution["stream_url"].removeprefix(server.url) + "?format=text").raw


def test_a_hook_whose_rules_do_not_match_answers_202_with_nothing(server: Server, hook: str) -> None:
    answer = post(server, f"{hook}?wait=60", b'{"level": "low"}').json
    assert (answer["is_complete"], answer["enforcements"], answer["executions"]) == (True, [], [])


@pytest.mark.parametrize("wait", ["61", "-1", "x", "1.5"])
def test_a_wrong_wait_is_refused_before_anything_is_stored(server: Server, hook: str, wait: str) -> None:
    before = len(server.get(f"{hook}/deliveries", limit=1000))
    reply = post(server, f"{hook}?wait={wait}")
    assert (reply.status, "wait" in reply.fault) == (400, True)
    assert len(server.get(f"{hook}/deliveries", limit=1000)) == before


def test_a_stop_of_the_server_answers_those_that_wait(tmp_path: Path, packs: Path) -> None:
    # A comparison that takes many seconds: it has not ended when the server stops.
    slow = {"trigger.body.text": {"type": "regex", "pattern": "[ab]*a[ab]{900}c"}}
    with serving(tmp_path, packs, env=QUICK) as server:
        hooked(server, "slow", "core.noop", slow)
        body = json.dumps({"text": "ab" * 1_500_000}).encode()
        replies: list[Reply] = []
        thread = threading.Thread(target=lambda: replies.append(post(server, "/v1/webhooks/slow?wait=60", body)))
        thread.start()
        until(lambda: server.get("/v1/webhooks/slow/deliveries"), "the webhook is stored")
        server.stop()
        thread.join()
    assert (replies[0].status, replies[0].json["is_complete"]) == (202, False)


def test_ten_mib_pass_and_more_do_not(server: Server, hook: str) -> None:
    large = json.dumps({"a": "x" * ((10 << 20) - 4096)}).encode()
    assert post(server, hook, large).status == 202
    for size in ((10 << 20) + 1, 12 << 20):
        assert post(server, hook, json.dumps({"a": "x" * size}).encode()).status == 413


# -- settings and signatures


@pytest.mark.parametrize("preset", sorted(SECRETS))
def test_a_valid_signature_replaces_the_credential_on_that_hook_alone(
    asking: Server, ada: dict[str, str], preset: str
) -> None:
    url = f"signed/{preset}"
    path = f"/v1/webhooks/{url}"
    hooked(asking, url, headers=ada)
    secrets = list(SECRETS[preset])
    right = signed(preset, secrets[0], BODY, int(time.time()))
    assert post(asking, path, headers=right).status == 401
    stored = asking.call("PUT", f"{path}/settings", {"preset": preset, "secrets": secrets[:1]}, headers=ada)
    assert (stored.status, stored.json["secrets"]) == (200, ["********"])
    assert post(asking, path, headers=right).status == 202
    assert post(asking, path, headers={**right, "X-Auth-Token": "0" * 32}).status == 202
    assert post(asking, path, BODY.replace(b"high", b"low!"), headers=right).status == (
        202 if preset == "gitlab" else 401
    )
    assert post(asking, path).status == 401
    assert post(asking, path, headers=ada).status == 202
    assert post(asking, "/v1/webhooks/st2", b'{"trigger": "a.b"}', headers=right).status == 401
    assert asking.call("GET", path, headers=right).status == 401
    other = signed(preset, secrets[1], BODY, int(time.time()))
    assert post(asking, path, headers=other).status == 401
    rotated = {"preset": preset, "secrets": [secrets[1], "********"]}
    assert asking.call("PUT", f"{path}/settings", rotated, headers=ada).status == 200
    for headers in (right, other):
        assert post(asking, path, headers=headers).status == 202
    assert asking.call("DELETE", f"{path}/settings", headers=ada).status == 204
    assert post(asking, path, headers=right).status == 401


def test_only_administrators_see_and_change_settings(asking: Server, ada: dict[str, str], bob: dict[str, str]) -> None:
    path = "/v1/webhooks/some/hook/settings"
    for method, body in (("PUT", {"drop_duplicates": True}), ("GET", None), ("DELETE", None)):
        refused = asking.call(method, path, body, headers=bob)
        assert (refused.status, "configuring webhooks" in refused.fault) == (403, True)
    assert asking.call("GET", path, headers=ada).status == 404
    wrong: list[dict[str, Any]] = [{"preset": "nosuch"}, {"secrets": ["hush-hush"]}, {"more": 1}]
    for settings in wrong:
        refused = asking.call("PUT", path, settings, headers=ada)
        assert (refused.status, "hush" in refused.fault) == (400, False)


def test_a_sender_that_only_signs_sees_no_reasons(asking: Server, ada: dict[str, str]) -> None:
    url = "signed/failing"
    hooked(asking, url, "no.such", headers=ada)
    settings = {"preset": "github", "secrets": ["s"]}
    assert asking.call("PUT", f"/v1/webhooks/{url}/settings", settings, headers=ada).status == 200
    [shown] = post(asking, f"/v1/webhooks/{url}?wait=60", headers=ada).json["enforcements"]
    [hidden] = post(asking, f"/v1/webhooks/{url}?wait=60", headers=signed("github", "s", BODY, 0)).json["enforcements"]
    assert (shown["status"], hidden["status"]) == ("failed", "failed")
    assert ("failure_reason" in shown, "failure_reason" in hidden) == (True, False)


def test_without_authentication_a_hook_with_secrets_still_needs_its_signature(server: Server) -> None:
    hooked(server, "local/signed")
    path = "/v1/webhooks/local/signed"
    assert server.call("PUT", f"{path}/settings", {"preset": "github", "secrets": ["s"]}).status == 200
    assert post(server, path).status == 401
    assert post(server, path, headers=signed("github", "s", BODY, 0)).status == 202
    verdicts = [each["verdict"] for each in server.get(f"{path}/deliveries")]
    assert verdicts == ["accepted", "bad_signature"]


def test_a_repeated_delivery_gets_the_first_instance_and_says_so(server: Server) -> None:
    hooked(server, "once")
    assert server.call("PUT", "/v1/webhooks/once/settings", {"drop_duplicates": True}).status == 200
    first, again = (post(server, "/v1/webhooks/once?wait=60", headers={"X-GitHub-Delivery": "d-1"}) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert first.headers["x-squall-trigger-instance"] == again.headers["x-squall-trigger-instance"]
    assert ("x-squall-duplicate" in first.headers, again.headers["x-squall-duplicate"]) == (False, "true")
    assert first.json["executions"] == [
        {**each, "status": first.json["executions"][0]["status"]} for each in again.json["executions"]
    ]
    assert len(server.get("/v1/ruleenforcements", rule_ref="default.once")) == 1


# -- the log


def test_the_log_has_what_came_without_credentials_and_sends_it_again(server: Server) -> None:
    hooked(server, "logged")
    sent = post(server, "/v1/webhooks/logged", headers={"Authorization": "Bearer hush", "X-Level": "3"})
    post(server, "/v1/webhooks/logged", b"{bad")
    listed = server.call("GET", "/v1/webhooks/logged/deliveries")
    assert [each["verdict"] for each in listed.json] == ["bad_body", "accepted"]
    assert listed.headers["x-total-count"] == "2"
    assert "body" not in listed.json[0]
    [accepted] = server.get("/v1/webhooks/logged/deliveries", verdict="accepted")
    path = f"/v1/webhooks/logged/deliveries/{accepted['id']}"
    assert accepted["id"] == sent.headers["x-squall-delivery"]
    whole = server.get(path)
    headers = {each["name"].lower(): each["value"] for each in whole["headers"]}
    assert (headers["authorization"], headers["x-level"]) == ("********", "3")
    assert (whole["body"], whole["is_complete"], whole["remote"]) == (BODY.decode(), True, "127.0.0.1")
    replayed = server.call("POST", f"{path}/replay?wait=60", {})
    assert replayed.status == 202
    assert replayed.json["is_complete"]
    assert server.get(f"/v1/webhooks/logged/deliveries/{replayed.json['delivery']}")["replay_of"] == accepted["id"]
    [refused] = server.get("/v1/webhooks/logged/deliveries", verdict="bad_body")
    assert server.call("POST", f"/v1/webhooks/logged/deliveries/{refused['id']}/replay", {}).status == 409
    assert server.call("POST", f"/v1/webhooks/logged/deliveries/{refused['id']}/replay", {"force": True}).status == 400
    assert server.call("POST", f"/v1/webhooks/logged/deliveries/{'0' * 24}/replay", {}).status == 404
    assert server.call("GET", "/v1/webhooks/logged/deliveries?verdict=nosuch").status == 400


def test_a_rule_cannot_have_the_url_of_settings_or_deliveries(server: Server) -> None:
    for url in ("team/settings", "team/deliveries/x"):
        body = {
            "name": "r", "pack": "default", "trigger": {"type": "core.st2.webhook", "parameters": {"url": url}},
            "action": {"ref": "core.noop"},
        }  # fmt: skip
        refused = server.call("POST", "/v1/rules", body)
        assert (refused.status, "is the path of a hook's" in refused.fault) == (400, True)


def test_settings_and_deliveries_are_told_on_the_stream(server: Server) -> None:
    hooked(server, "told")
    with server.stream(events="st2.webhook_*") as stream:
        assert stream.status == 200
        server.call("PUT", "/v1/webhooks/told/settings", {"preset": "github", "secrets": ["hush"]})
        post(server, "/v1/webhooks/told", headers=signed("github", "hush", BODY, 0))
        told = list(itertools.islice(stream.events(), 2))
    assert [event.name for event in told] == ["st2.webhook_settings__create", "st2.webhook_delivery__create"]
    assert "hush" not in str(told)
