"""Policies on a real server: many at once in order, a crowd that waits, a server that is killed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.scenarios.live.server import FINAL, Server

from squall.testing.waiting import until

COUNT = 200


@pytest.fixture
def limited(plain_server: Server, request: pytest.FixtureRequest) -> Iterator[int]:
    """`core.local` under a policy of concurrency; gives its threshold."""
    threshold: int = request.param
    given = {"name": "limit", "pack": "live", "resource_ref": "core.local", "policy_type": "action.concurrency"}
    made = plain_server.call("POST", "/v1/policies", {**given, "parameters": {"threshold": threshold}})
    assert made.status == 201
    yield threshold
    assert plain_server.call("DELETE", f"/v1/policies/{made.json['id']}").status == 204


def started(execution: dict[str, Any]) -> str:
    return next(str(entry["timestamp"]) for entry in execution["log"] if entry["status"] == "running")


def most_at_once(executions: list[dict[str, Any]]) -> int:
    """How many ran at the same time, at most."""
    changes = sorted(
        change
        for execution in executions
        for change in ((started(execution), 1), (str(execution["end_timestamp"]), -1))
    )
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


@pytest.mark.parametrize("limited", [10], indirect=True)
def test_two_hundred_at_once_under_a_policy_of_ten_begin_in_order_and_all_succeed(
    plain_server: Server, limited: int
) -> None:
    made = [plain_server.shell("true") for _ in range(COUNT)]
    ended = {execution_id: plain_server.ended(execution_id) for execution_id in made}
    executions = [ended[execution_id] for execution_id in made]
    assert {execution["status"] for execution in executions} == {"succeeded"}
    times = [started(execution) for execution in executions]
    assert times == sorted(times)
    assert most_at_once(executions) <= limited


@pytest.mark.parametrize("limited", [1], indirect=True)
def test_who_waits_says_why_and_can_be_canceled(plain_server: Server, limited: int) -> None:
    assert limited == 1
    holder, second, third = (plain_server.shell("sleep 60") for _ in range(3))
    until(lambda: plain_server.get(f"/v1/executions/{third}")["status"] == "delayed", "the third waits")
    shown = plain_server.get(f"/v1/executions/{third}")
    assert shown["waiting_for"] == {
        "reason": "policy", "position": 2, "policy": "live.limit", "threshold": 1, "holders": [holder]
    }  # fmt: skip
    assert re.search(r"place 2 in the line of the policy live\.limit", shown["waiting"])
    (listed,) = plain_server.get("/v1/executions", id=third, include_attributes="waiting")
    assert listed == {"id": third, "waiting": shown["waiting"]}
    assert plain_server.call("DELETE", f"/v1/executions/{second}").json["status"] == "canceled"
    plain_server.call("DELETE", f"/v1/executions/{holder}")
    assert plain_server.ended(holder)["status"] == "canceled"
    plain_server.running(third)
    plain_server.call("DELETE", f"/v1/executions/{third}")
    assert plain_server.ended(third)["status"] in FINAL


def test_workflows_wait_for_their_policies_and_their_children_do_not_wait_for_them(plain_server: Server) -> None:
    given = {"name": "flows", "pack": "live", "resource_ref": "examples.flow_line", "policy_type": "action.concurrency"}
    policy = plain_server.call("POST", "/v1/policies", {**given, "parameters": {"threshold": 1}}).json
    made = [plain_server.request("examples.flow_line") for _ in range(3)]
    ended = [plain_server.ended(execution_id) for execution_id in made]
    plain_server.call("DELETE", f"/v1/policies/{policy['id']}")
    assert [execution["status"] for execution in ended] == ["succeeded"] * 3
    assert most_at_once(ended) == 1
    assert [started(execution) for execution in ended] == sorted(started(execution) for execution in ended)


def test_what_fails_is_tried_again_and_both_are_in_one_trace(plain_server: Server) -> None:
    given = {"name": "again", "pack": "live", "resource_ref": "core.local", "policy_type": "action.retry"}
    parameters = {"retry_on": "failure", "max_retry_count": 1, "delay": 0.1}
    policy = plain_server.call("POST", "/v1/policies", {**given, "parameters": parameters}).json
    failed = plain_server.ended(plain_server.shell("exit 9"))
    (trace,) = plain_server.get("/v1/traces", execution=failed["id"])
    again = next(part["object_id"] for part in trace["action_executions"] if part["object_id"] != failed["id"])
    second = plain_server.ended(again)
    plain_server.call("DELETE", f"/v1/policies/{policy['id']}")
    assert (failed["status"], second["status"], second["delay"]) == ("failed", "failed", 100)
    assert second["context"]["policies"]["retry"] == {
        "applied_policy": "live.again", "retry_count": 1, "retried_liveaction_id": failed["id"]
    }  # fmt: skip
