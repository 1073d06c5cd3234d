from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from starlette.types import Send
from tests.doubles.access import open_gate

from squall.api.http.application import Application, locate
from squall.api.http.bodies import answer_stream
from squall.api.http.gate import Gate
from squall.api.http.routes import Route, admin
from squall.api.http.wire import Answer, Request
from squall.core.access.access import Identity
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


async def _late(request: Request, send: Send) -> None:
    async def pump() -> None:
        await send({"type": "http.response.body", "body": b'"the body"'})

    await answer_stream(request, send, {"Content-Type": "text/plain"}, pump)


async def _missing(request: Request) -> Answer:
    raise NotFoundError("It is not there.")


async def _broken(request: Request) -> Answer:
    raise RuntimeError("a secret of the inside")


ROUTES = [
    Route("GET", "/things/{name}", _name),
    Route("GET", "/missing", _missing),
    Route("GET", "/broken", _broken),
    Route("GET", "/elsewhere", _name, area="stream"),
    Route("GET", "/late", _late, streams=True),
    Route("DELETE", "/things/{name}", _missing),
    Route("PUT", "/admins", _missing, permission=admin("doing things")),
]


def answer(
    path: str, method: str = "GET", gate: Gate | None = None, **headers: str
) -> tuple[int, Any, dict[bytes, bytes]]:
    sent: list[Any] = []
    pairs = [
        (b"host", b"localhost"),
        *((name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()),
    ]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs, "query_string": b""}

    bodies = iter([{"type": "http.request"}])

    async def receive() -> Any:
        for body in bodies:
            return body
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Application(ROUTES, gate or open_gate(), body_limit=100)(scope, receive, send))
    body = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], json.loads(body) if body else None, dict(sent[0]["headers"])


def test_a_route_gets_the_names_of_its_path() -> None:
    assert answer("/v1/things/pack.name")[:2] == (200, {"name": "pack.name"})


def test_errors_become_their_status_and_what_is_inside_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    assert answer("/missing")[:2] == (404, {"faultstring": "It is not there."})
    assert answer("/broken")[:2] == (500, {"faultstring": "Internal Server Error"})
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize("path", ["/nothing", "/things/a/b", "/things", "/elsewhere"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PATCH"])
def test_a_path_that_no_route_has_is_404(method: str, path: str) -> None:
    assert answer(path, method)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "TRACE"])
def test_a_method_that_the_path_lacks_is_405_and_allow_names_those_it_has(method: str) -> None:
    status, body, headers = answer("/v1/things/a", method)
    assert (status, headers[b"allow"]) == (405, b"DELETE, GET, HEAD, OPTIONS")
    assert body == {"faultstring": f"/v1/things/a has no method {method}. Use one of: DELETE, GET, HEAD, OPTIONS."}
    assert answer("/admins", method)[2].get(b"allow") == (None if method == "PUT" else b"OPTIONS, PUT")


def test_options_are_answered_without_a_body() -> None:
    status, body, headers = answer("/things/a", "OPTIONS")
    assert (status, body, headers[b"allow"]) == (204, None, b"DELETE, GET, HEAD, OPTIONS")
    assert b"content-length" not in headers
    assert answer("*", "OPTIONS")[2][b"allow"] == b"DELETE, GET, HEAD, OPTIONS, POST, PUT"


@pytest.mark.parametrize("path", ["/things/a", "/missing", "/nothing", "/broken", "/late"])
def test_head_answers_what_get_does_without_the_body(path: str) -> None:
    status, body, headers = answer(path, "HEAD", x_request_id="1")
    assert (status, headers) == (answer(path, x_request_id="1")[0], answer(path, x_request_id="1")[2])
    assert body is None


def test_a_route_for_administrators_refuses_others_and_says_what_it_is_for() -> None:
    status, body, _ = answer("/admins", "PUT", GateOfBob(cast(Any, None)))
    assert status == 403
    assert body == {"faultstring": 'User "bob" is not an administrator (auth.admins), and doing things needs one.'}


class GateOfBob(Gate):
    """Takes everybody for bob, who is no administrator."""

    def check_origin(self, request: Request) -> None:
        """Refuses nobody."""

    async def _identify(self, request: Request, streams: bool) -> str:
        request.identity = Identity(user="bob", admin=False)
        return ""


def test_the_id_of_a_request_is_given_back_or_made() -> None:
    assert answer("/things/a", x_request_id="mine")[2][b"x-request-id"] == b"mine"
    assert len(answer("/things/a")[2][b"x-request-id"]) == 32


def test_a_foreign_page_is_refused_before_any_route() -> None:
    assert answer("/things/a", origin="http://evil.com")[0] == 403
