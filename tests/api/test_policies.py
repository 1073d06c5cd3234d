"""Policies, traces, notify sections and output schemas over HTTP, as recorded of StackStorm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import Server

GIVEN: dict[str, Any] = {
    "name": "p1",
    "pack": "peer",
    "resource_ref": "core.nosuch",
    "policy_type": "action.retry",
    "enabled": True,
    "parameters": {"retry_on": "failure", "max_retry_count": 2},
}


@pytest.fixture
def policy(plain_server: Server) -> Iterator[dict[str, Any]]:
    made = plain_server.call("POST", "/v1/policies", GIVEN)
    assert made.status == 201
    yield made.json
    plain_server.call("DELETE", f"/v1/policies/{made.json['id']}")


def test_the_types_of_policies_are_listed_and_shown(plain_server: Server) -> None:
    answer = plain_server.call("GET", "/v1/policytypes")
    assert (answer.headers["x-total-count"], answer.headers["x-limit"]) == ("3", "100")
    assert list(answer.json[0]) == [
        "name", "description", "uid", "ref", "resource_type", "enabled", "module", "parameters", "id"
    ]  # fmt: skip
    for key in ("ref", "id"):
        assert plain_server.get(f"/v1/policytypes/{answer.json[2][key]}") == answer.json[2]
    assert plain_server.get("/v1/policytypes", resource_type="rule") == []
    missing = plain_server.call("GET", "/v1/policytypes/nosuch")
    assert (missing.status, missing.json["faultstring"]) == (
        404, 'PolicyType with a reference of id "nosuch" not found.'
    )  # fmt: skip


def test_a_policy_is_shown_with_the_recorded_attributes(plain_server: Server, policy: dict[str, Any]) -> None:
    assert list(policy) == [
        "uid", "metadata_file", "name", "ref", "pack", "enabled", "resource_ref", "policy_type", "parameters", "id"
    ]  # fmt: skip
    assert policy | GIVEN == policy
    assert plain_server.get("/v1/policies/peer.p1") == plain_server.get(f"/v1/policies/{policy['id']}") == policy
    listed = plain_server.call("GET", "/v1/policies?resource_ref=core.nosuch&include_attributes=ref,enabled")
    assert listed.json == [{"ref": "peer.p1", "enabled": True, "id": policy["id"]}]
    assert (listed.headers["x-total-count"], listed.headers["x-limit"]) == ("1", "100")
    assert plain_server.get("/v1/policies", policy_type="action.concurrency", pack="peer") == []


def test_a_policy_is_changed_also_by_a_client_that_sends_all_of_it(
    plain_server: Server, policy: dict[str, Any]
) -> None:
    off = plain_server.call("PUT", "/v1/policies/peer.p1", {**policy, "enabled": False})
    assert (off.status, off.json) == (200, {**policy, "enabled": False})
    other = plain_server.call("PUT", "/v1/policies/peer.p1", {**GIVEN, "name": "other"})
    assert (other.json["id"], other.json["ref"]) == (policy["id"], "peer.other")
    assert plain_server.call("DELETE", "/v1/policies/peer.other").status == 204
    gone = plain_server.call("DELETE", "/v1/policies/peer.other")
    assert (gone.status, gone.json["faultstring"]) == (404, 'Resource with a reference or id "peer.other" not found')


def test_the_same_policy_twice_is_a_conflict(plain_server: Server, policy: dict[str, Any]) -> None:
    answer = plain_server.call("POST", "/v1/policies", GIVEN)
    assert answer.status == 409
    assert policy["id"] in answer.json["faultstring"]
    assert answer.json["conflict-id"] == policy["id"]
    [shown] = plain_server.get("/v1/policies", pack=GIVEN["pack"], name=GIVEN["name"], include_attributes="enabled")
    assert set(shown) == {"id", "ref", "enabled"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resource_ref": None}, "'resource_ref' is a required property"),
        ({"policy_type": "nosuch"}, "Invalid reference: nosuch"),
        ({"parameters": {}}, "'retry_on' is a required property"),
        ({"parameters": {"retry_on": "bogus"}}, "'bogus' is not one of ['failure', 'timeout']"),
    ],
)
def test_a_wrong_policy_is_refused_in_the_recorded_words(
    plain_server: Server, changes: dict[str, Any], told: str
) -> None:
    answer = plain_server.call("POST", "/v1/policies", GIVEN | changes)
    assert (answer.status, answer.json) == (400, {"faultstring": told})


def test_a_trace_is_found_by_its_tag_and_by_its_execution(plain_server: Server) -> None:
    body = {"action": "core.noop", "context": {"trace_context": {"trace_tag": "tagX"}}}
    made = plain_server.call("POST", "/v1/executions", body).json
    assert made["context"]["trace_context"] == {"trace_tag": "tagX"}
    (trace,) = plain_server.get("/v1/traces", execution=made["id"])
    assert list(trace) == [
        "uid", "trace_tag", "trigger_instances", "rules", "action_executions", "start_timestamp", "id"
    ]  # fmt: skip
    (part,) = trace["action_executions"]
    assert (part["object_id"], part["ref"], part["caused_by"]) == (made["id"], "core.noop", {})
    listed = plain_server.call("GET", "/v1/traces?trace_tag=tagX&sort_desc=True&limit=50")
    assert trace in listed.json
    assert listed.headers["x-limit"] == "50"
    assert plain_server.get(f"/v1/traces/{trace['id']}") == trace
    again = plain_server.call("POST", f"/v1/executions/{made['id']}/re_run", {})
    assert again.json["context"]["trace_context"] == {"id_": trace["id"]}
    missing = plain_server.call("GET", f"/v1/traces/{'0' * 24}")
    assert (missing.status, missing.json["faultstring"]) == (
        404, f'Unable to identify resource with id "{"0" * 24}".'
    )  # fmt: skip


def test_a_notify_section_is_shown_with_the_liveaction(plain_server: Server) -> None:
    notify = {"on-complete": {"message": "m", "routes": ["hubot"]}}
    made = plain_server.call("POST", "/v1/executions", {"action": "core.noop", "notify": notify})
    assert list(made.json["liveaction"]) == [
        "action", "action_is_workflow", "parameters", "callback", "runner_info", "notify", "id"
    ]  # fmt: skip
    assert made.json["liveaction"]["notify"] == notify
    wrong = plain_server.call("POST", "/v1/executions", {"action": "core.noop", "notify": {"on-start": {}}})
    assert (wrong.status, "on-start" in wrong.json["faultstring"]) == (400, True)


def test_what_an_output_schema_calls_secret_is_masked_wherever_a_result_is_shown(plain_server: Server) -> None:
    made = plain_server.request("live.promising")
    ended = plain_server.ended(made)
    assert (ended["result"]["stdout"], ended["result"]["return_code"]) == ("********", 0)
    for path in (f"{made}/result", f"{made}/attribute/result"):
        assert plain_server.get(f"/v1/executions/{path}")["stdout"] == "********"
    (listed,) = plain_server.get("/v1/executions", id=made, include_attributes="result.stdout")
    assert listed["result"] == {"stdout": "********"}
    assert plain_server.get(f"/v1/executions/{made}", show_secrets="true")["result"]["stdout"] == "hidden"
