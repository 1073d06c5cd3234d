from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.doubles.access import open_gate

from squall.api.http.application import Application, Route, locate
from squall.api.http.wire import Answer, Request
from squall.core.errors import NotFoundError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/actions", ("api", "/actions")),
        ("/v1/actions/", ("api", "/actions")),
        ("/api/v1/actions", ("api", "/actions")),
        ("/api/actions", ("api", "/actions")),
        ("/actions", ("api", "/actions")),
        ("/v1", ("api", "/")),
        ("/", ("api", "/")),
        ("/api", ("api", "/")),
        ("/stream/v1/stream", ("stream", "/stream")),
        ("/stream", ("stream", "/stream")),
        ("/stream/v1/executions/1/output", ("stream", "/executions/1/output")),
        ("/v1/stream", ("stream", "/stream")),
        ("/api/v1/stream", ("stream", "/stream")),
        ("/auth/v1/tokens", ("auth", "/tokens")),
        ("/auth/tokens", ("auth", "/tokens")),
        ("/v1x/actions", ("api", "/v1x/actions")),
        ("/streams", ("api", "/streams")),
    ],
)
def test_paths_of_the_one_port(path: str, expected: tuple[str, str]) -> None:
    assert locate(path, "api") == expected


@pytest.mark.parametrize(
    ("home", "path", "expected"),
    [
        ("stream", "/v1/stream", ("stream", "/stream")),
        ("stream", "/stream/", ("stream", "/stream")),
        ("stream", "/executions/1/output", ("stream", "/executions/1/output")),
        ("auth", "/tokens", ("auth", "/tokens")),
        ("auth", "/v1/tokens", ("auth", "/tokens")),
        ("auth", "/v1", ("auth", "/")),
    ],
)
def test_paths_of_the_classic_ports(home: str, path: str, expected: tuple[str, str]) -> None:
    assert locate(path, home) == expected


async def _name(request: Request) -> Answer:
    return Answer({"name": request.path["name"]})


async def _missing(request: Request) -> Answer:
    raise NotFoundError("It is not there.")


async def _broken(request: Request) -> Answer:
    raise RuntimeError("a secret of the inside")


ROUTES = [
    Route("GET", "/things/{name}", _name),
    Route("GET", "/missing", _missing),
    Route("GET", "/broken", _broken),
    Route("GET", "/elsewhere", _name, area="stream"),
]


def answer(path: str, method: str = "GET", **headers: str) -> tuple[int, Any, dict[bytes, bytes]]:
    sent: list[Any] = []
    pairs = [
        (b"host", b"localhost"),
        *((name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()),
    ]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs, "query_string": b""}

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Application(ROUTES, open_gate(), body_limit=100)(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"]), dict(sent[0]["headers"])


def test_a_route_gets_the_names_of_its_path() -> None:
    assert answer("/v1/things/pack.name")[:2] == (200, {"name": "pack.name"})


def test_errors_become_their_status_and_what_is_inside_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    assert answer("/missing")[:2] == (404, {"faultstring": "It is not there."})
    assert answer("/broken")[:2] == (500, {"faultstring": "Internal Server Error"})
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/things/a"), ("GET", "/nothing"), ("GET", "/things/a/b"), ("GET", "/elsewhere")]
)
def test_what_no_route_answers_is_404(method: str, path: str) -> None:
    assert answer(path, method)[0] == 404


def test_the_id_of_a_request_is_given_back_or_made() -> None:
    assert answer("/things/a", x_request_id="mine")[2][b"x-request-id"] == b"mine"
    assert len(answer("/things/a")[2][b"x-request-id"]) == 32


def test_a_foreign_page_is_refused_before_any_route() -> None:
    assert answer("/things/a", origin="http://evil.com")[0] == 403
