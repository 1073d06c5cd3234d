"""Numbers that JSON does not have: what becomes of them on every way into the server, and that none ever leaves it."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

BODY = '{"a": NaN, "b": [Infinity, -Infinity], "c": 1}'
OVERFLOW = '{"a": 1e999}'
ODD = """
from st2common.runners.base_action import Action


class Odd(Action):
    def run(self, whole=False):
        value = {"a": float("nan"), "b": [float("inf"), -float("inf")], "c": 1.5}
        return value if whole else (True, value)
"""
NULLS = {"a": None, "b": [None, None], "c": 1.5}
FLOW = """
version: 1.0
tasks:
  odd:
    action: odd.odd
    next: [{publish: [kept: "<% result().result %>"]}]
output: [{kept: "<% ctx(kept) %>"}]
"""
COUNTED = """
version: 1.0
vars: [{x: "{{ 'nan' | float }}"}]
tasks: {one: {action: core.noop}}
"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with numbers that are none."""

    def log_message(self, *words: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        body = (OVERFLOW if self.path == "/overflow" else BODY).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def strict(raw: bytes | str) -> Any:
    """Reads JSON as a strict reader does."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(raw, parse_constant=refuse)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    packs = tmp_path_factory.mktemp("packs")
    actions = packs / "odd" / "actions"
    (actions / "workflows").mkdir(parents=True)
    (packs / "odd" / "pack.yaml").write_text("name: odd\nversion: 1.0.0\nauthor: tests\n")
    (actions / "odd.py").write_text(ODD)
    head = "runner_type: python-script\nentry_point: odd.py\nparameters: {whole: {type: boolean}}\n"
    (actions / "odd.yaml").write_text(f"name: odd\n{head}")
    for name, text in (("flow", FLOW), ("counted", COUNTED)):
        (actions / f"{name}.yaml").write_text(
            f"name: {name}\nrunner_type: orquesta\nentry_point: workflows/{name}.yaml\n"
        )
        (actions / "workflows" / f"{name}.yaml").write_text(text)
    with serving(tmp_path_factory.mktemp("server"), packs, env=QUICK) as server:
        yield server


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def result(server: Server, execution: str) -> Any:
    """The result of an execution when it has ended, as every answer has it."""
    server.ended(execution)
    answers = [
        strict(server.call("GET", f"/v1/executions/{execution}").raw)["result"],
        strict(server.call("GET", f"/v1/executions/{execution}/result").raw),
        strict(server.call("GET", f"/v1/executions?id={execution}&include_attributes=result").raw)[0]["result"],
    ]
    answers += [strict(event.data).get("result") for event in server.tail(execution) if event.name.endswith("update")][
        -1:
    ]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


@pytest.mark.parametrize("whole", [False, True])
def test_a_python_result_has_null_for_them(live: Server, whole: bool) -> None:
    assert result(live, live.request("odd.odd", whole=whole))["result"] == NULLS


def test_a_workflow_publishes_and_gives_null_for_them(live: Server) -> None:
    assert result(live, live.request("odd.flow"))["output"] == {"kept": NULLS}


def test_an_expression_that_gives_one_fails_the_workflow_with_its_name(live: Server) -> None:
    told = result(live, live.request("odd.counted"))
    assert "nan is not a number" in json.dumps(told["errors"])


@pytest.mark.parametrize(("path", "body"), [("", BODY), ("/overflow", OVERFLOW)])
def test_the_body_of_an_http_response_with_one_stays_text(live: Server, site: str, path: str, body: str) -> None:
    answer = result(live, live.request("core.http", url=site + path))
    assert (answer["status_code"], answer["body"], answer["parsed"]) == (200, body, False)


@pytest.mark.parametrize("text", ["NaN", BODY, OVERFLOW])
def test_printed_text_with_one_stays_text(live: Server, text: str) -> None:
    assert result(live, live.request("core.local", cmd=f"printf '%s' '{text}'"))["stdout"] == text


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_request_with_one_is_refused(live: Server, number: str) -> None:
    connection = http.client.HTTPConnection(live.url.removeprefix("http://"))
    sent = f'{{"action": "core.noop", "context": {{"x": {number}}}}}'
    connection.request("POST", "/v1/executions", sent, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 400
    connection.close()
