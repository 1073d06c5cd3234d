"""The server itself over HTTP."""

from __future__ import annotations

import re

import pytest
from tests.scenarios.live.server import Server


def test_health_and_readiness(plain_server: Server) -> None:
    assert plain_server.get("/healthz")["status"] == "alive"
    assert plain_server.get("/readyz")["status"] == "ready"


def test_metrics_are_prometheus_text(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = reply.raw.decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(re.match(r'^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+$', line) for line in samples)
    names = {re.split(r"[ {]", line)[0] for line in samples}
    assert {"squall_info", "squall_executions_running", "squall_followers", "squall_queue_rows"} <= names
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert names <= typed


def test_followers_are_counted_and_leave_no_trace(plain_server: Server) -> None:
    def followers() -> int:
        text = plain_server.call("GET", "/metrics").raw.decode()
        return int(float(re.search(r"^squall_followers (.+)$", text, re.M)[1]))  # type: ignore[index]

    with plain_server.puppet() as (execution, strings):
        before = followers()
        with plain_server.output(execution) as stream:
            strings.say(b"x")
            stream.until(b"x")
            assert followers() == before + 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nosuch"), ("PATCH", "/v1/nosuch"), ("POST", "/v1/x"), ("GET", "/stream/v1/nosuch"),
     ("GET", "/v1/executions/a/b/c"), ("DELETE", "/auth/v1/executions")],
)  # fmt: skip
def test_what_is_not_there_is_404(plain_server: Server, method: str, path: str) -> None:
    body: dict[str, str] | None = {} if method == "POST" else None
    reply = plain_server.call(method, path, body)
    assert (reply.status, reply.fault) == (404, "The resource could not be found.")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PATCH", "/v1/actions", "GET, HEAD, OPTIONS, POST"), ("POST", "/v1/", "GET, HEAD, OPTIONS"),
     ("DELETE", "/v1/executions", "GET, HEAD, OPTIONS, POST"), ("GET", "/v1/workflows/inspect", "OPTIONS, POST")],
)  # fmt: skip
def test_a_method_that_a_path_lacks_is_405(plain_server: Server, method: str, path: str, allowed: str) -> None:
    reply = plain_server.call(method, path, {} if method == "POST" else None)
    assert (reply.status, reply.headers["allow"]) == (405, allowed)
    assert reply.fault == f"{path} has no method {method}. Use one of: {allowed}."


def test_every_answer_has_the_id_of_its_request(plain_server: Server) -> None:
    assert plain_server.call("GET", "/v1/", headers={"X-Request-ID": "mine"}).headers["x-request-id"] == "mine"
    first, second = (plain_server.call("GET", "/v1/nosuch").headers["x-request-id"] for _ in range(2))
    assert first != second


def test_errors_are_json_with_a_faultstring_alone(plain_server: Server) -> None:
    reply = plain_server.call("GET", "/v1/executions/nosuch")
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.fault
