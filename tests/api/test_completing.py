"""Completing executions over HTTP: a client PUTs a final status and a result."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.live.server import Server

from squall.testing.waiting import until


@pytest.mark.parametrize(("status", "result"), [("succeeded", {"a": 1}), ("failed", "no"), ("timeout", [1])])
def test_a_client_completes_what_runs_and_its_output_stands_before_the_end(
    plain_server: Server, status: str, result: Any
) -> None:
    with plain_server.puppet() as (execution, strings):
        strings.say(b"printed\n")
        with plain_server.output(execution) as stream:
            stream.until(b"printed\n")
        reply = plain_server.call("PUT", f"/v1/executions/{execution}", {"status": status, "result": result})
        assert (reply.status, reply.json["status"], reply.json["result"]) == (200, status, result)
        assert reply.json["context"]["completed_by"] == plain_server.get("/v1/user")["username"]
        assert plain_server.call("GET", f"/v1/executions/{execution}/output").raw == b"printed\n"
        assert plain_server.get(f"/v1/executions/{execution}/output/verify")["ok"] is True
        again = plain_server.call("PUT", f"/v1/executions/{execution}", {"status": "failed"})
        assert (again.status, again.fault) == (400, "Execution is already in completed state.")


def test_last_is_resolved_for_put_as_for_the_other_methods(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, _):
        plain_server.running(execution)
        reply = plain_server.call("PUT", "/v1/executions/last", {"status": "canceling"})
        assert (reply.status, reply.json["id"]) == (200, execution)


def test_inquiries_and_workflows_say_what_to_do_instead(plain_server: Server) -> None:
    asked = plain_server.call("POST", "/v1/executions", {"action": "core.ask"}).json["id"]
    until(lambda: plain_server.get(f"/v1/executions/{asked}")["status"] == "pending", "the inquiry waits")
    reply = plain_server.call("PUT", f"/v1/executions/{asked}", {"status": "succeeded"})
    assert (reply.status, "is an inquiry: PUT its answer to /v1/inquiries" in reply.fault) == (400, True)
    assert plain_server.call("DELETE", f"/v1/executions/{asked}").status == 200


def test_a_request_cannot_bring_its_own_completion(plain_server: Server) -> None:
    context = {"completed_as": "succeeded", "completed_by": "eve"}
    made = plain_server.call("POST", "/v1/executions", {"action": "core.noop", "context": context})
    assert context.keys() & made.json["context"].keys() == set()
