"""Held matches and silences over HTTP and at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import Server

from squall.testing.waiting import until

RULE: dict[str, Any] = {
    "name": "over_time",
    "pack": "default",
    "enabled": True,
    "trigger": {"type": "default.tick"},
    "action": {"ref": "core.noop"},
    "hold": True,
}


@pytest.fixture
def rule(plain_server: Server) -> Iterator[str]:
    """A rule that holds two matches."""
    server = plain_server
    server.call("POST", "/v1/triggertypes", {"name": "tick", "pack": "default"})
    assert server.call("POST", "/v1/rules", RULE).status == 201
    for _ in range(2):
        assert server.call("POST", "/v1/webhooks/st2", {"trigger": "default.tick", "payload": {}}).status == 202
    ref = "default.over_time"
    until(lambda: len(server.get(f"/v1/rules/{ref}/held")) == 2, "two matches are held")
    yield ref
    server.call("DELETE", f"/v1/rules/{ref}")


def test_held_matches_are_listed_in_pages_and_run_by_their_ids(plain_server: Server, rule: str) -> None:
    answer = plain_server.call("GET", f"/v1/rules/{rule}/held?limit=1")
    assert (answer.headers["x-total-count"], answer.headers["x-limit"]) == ("2", "1")
    [held] = answer.json
    assert set(held) == {"id", "rule", "trigger_instance_id", "held_at"}
    ran = plain_server.call("POST", f"/v1/rules/{rule}/held/run", {"ids": [held["id"]]})
    [enforcement] = ran.json
    assert (enforcement["trigger_instance_id"], enforcement["status"]) == (held["trigger_instance_id"], "succeeded")
    assert plain_server.ended(enforcement["execution_id"])["context"]["rule"]["name"] == "over_time"
    assert plain_server.call("POST", f"/v1/rules/{rule}/held/run", {"ids": [held["id"]]}).status == 404
    assert len(plain_server.call("POST", f"/v1/rules/{rule}/held/discard").json) == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/rules/default.gone/held/run", {}, 404),
        ("/v1/rules/default.over_time/held/run", {"ids": "x"}, 400),
        ("/v1/rules/default.over_time/held/run", {"ids": [1]}, 400),
        ("/v1/rules/default.over_time/held/discard", {"id": ["x"]}, 400),
        ("/v1/rules/default.over_time/held/discard", {"ids": ["x"] * 1001}, 400),
        ("/v1/silences", {}, 400),
        ("/v1/silences", {"rule": "default.gone", "reason": "x", "until": "1h"}, 400),
        ("/v1/silences", {"rule": "default.over_time", "reason": "x", "until": 5}, 400),
    ],
)
def test_a_wrong_request_is_refused(
    plain_server: Server, rule: str, path: str, body: dict[str, Any], status: int
) -> None:
    answer = plain_server.call("POST", path, body)
    assert answer.status == status
    assert answer.fault
    assert len(plain_server.get(f"/v1/rules/{rule}/held")) == 2


def test_a_silence_is_added_listed_and_removed(plain_server: Server, rule: str) -> None:
    answer = plain_server.call("POST", "/v1/silences", {"rule": rule, "reason": "works", "until": "1h"})
    assert answer.status == 201
    silence = answer.json
    assert plain_server.get(f"/v1/silences/{silence['id']}") == silence
    assert plain_server.get("/v1/silences") == [silence]
    assert plain_server.call("DELETE", f"/v1/silences/{silence['id']}").status == 204
    assert plain_server.call("DELETE", f"/v1/silences/{silence['id']}").status == 404


def test_the_commands_list_run_and_discard(plain_server: Server, rule: str) -> None:
    server = plain_server
    listed = json.loads(server.squall("rule", "held", rule, "-j").out)
    assert b"HELD" in server.squall("rule", "held", rule).out
    assert len(listed) == 2
    assert listed[0]["id"].encode() in server.squall("rule", "held", rule, listed[0]["id"]).out
    assert server.squall("rule", "held", rule, "--run", "--discard").status == 2
    ran = server.squall("rule", "held", rule, "--run", "-j")
    assert len(json.loads(ran.out)) == 2
    assert json.loads(server.squall("rule", "held", rule, "--discard", "-j").out) == []
    unknown = server.squall("rule", "held", "default.gone")
    assert (unknown.status, b"default.gone" in unknown.err) == (2, True)


def test_the_commands_of_silences(plain_server: Server, rule: str) -> None:
    server = plain_server
    criteria = '{"trigger.a": {"type": "exists"}}'
    added = server.squall(
        "silence", "add", "--trigger", "default.tick", "--until", "2h", "--reason", "works", "--criteria", criteria
    )
    assert added.status == 0, added.err
    silence_id = added.out.split()[0].decode()
    shown = server.squall("silence", "list").out
    assert silence_id.encode() in shown
    assert b"trigger default.tick (some events)" in shown
    assert json.loads(server.squall("silence", "list", "-j").out)[0]["criteria"] == json.loads(criteria)
    for words in (["--criteria", "{"], ["--until", "400d"], ["--rule", rule]):
        wrong = server.squall(
            "silence", "add", "--pack", "default", "--reason", "x", *words,
            *([] if "--until" in words else ["--until", "1h"]),
        )  # fmt: skip
        assert wrong.status == 2
    assert server.squall("silence", "remove", silence_id).status == 0
    assert server.squall("silence", "remove", silence_id).status == 2
