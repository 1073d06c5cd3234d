from __future__ import annotations

from typing import Any

import pytest

from squall.api.http.hosts import check_browser, check_content_type, is_loopback
from squall.api.http.routes import TEXT, Route
from squall.api.http.wire import Request
from squall.core.errors import ForbiddenError, UnsupportedMediaError


def request(method: str = "GET", **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"method": method, "headers": pairs, "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    return Request(scope, receive, {}, 100)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", " localhost "]
)
def test_these_can_only_mean_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "xlocalhost",
        "0.0.0.0",
        "::",
        "127.0.0.1.nip.io",
        "2130706433",
        "127.1",
    ],
)
def test_these_may_mean_another(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "localhost:9101", "[::1]:9101", "127.0.0.1:1"])
def test_a_request_to_a_loopback_name_passes(host: str) -> None:
    check_browser(request(host=host))
    check_browser(request(host=host, origin=f"http://{host}"))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("evil.com", None),
        ("localhost", "http://evil.com"),
        ("localhost:1", "http://localhost:2"),
        ("localhost", "null"),
    ],
)
def test_a_request_of_a_foreign_page_is_refused(host: str, origin: str | None) -> None:
    with pytest.raises(ForbiddenError):
        check_browser(request(host=host, **({"origin": origin} if origin else {})))


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    two = request(host="localhost")
    two.scope["headers"].append((b"host", b"localhost"))
    for each in (request(), two):
        with pytest.raises(ForbiddenError):
            check_browser(each)


def route(method: str, body: str | None = "Anything") -> Route:
    async def never(request: Request) -> None:
        raise AssertionError

    return Route(method, "/things", never, body=body)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_must_be_json_where_it_changes_something(method: str) -> None:
    here = route(method)
    check_content_type(request(method, content_type="application/json", content_length="2"), here)
    check_content_type(request(method, content_type="Application/JSON; charset=utf-8", content_length="2"), here)
    check_content_type(request(method, content_length="0"), here)
    check_content_type(request(method), here)
    for headers in (
        {"content_type": "text/plain", "content_length": "2"},
        {"content_length": "2"},
        {"transfer_encoding": "chunked"},
    ):
        with pytest.raises(UnsupportedMediaError):
            check_content_type(request(method, **headers), here)


def test_what_stackstorms_clients_send_otherwise_passes() -> None:
    check_content_type(request("DELETE", content_length="2"), route("DELETE"))
    check_content_type(request("POST", content_type="text/plain", content_length="2"), route("POST", TEXT))


@pytest.mark.parametrize(
    "host",
    ["[::1].evil.com", "127.0.0.1:25000@evil.com", "[::1]evil", "[::1", "localhost:1:2", "localhost:a", "a b",
     "localhost/x", "localhost\t", "[localhost]", "127.0.0.1:123456"],
)  # fmt: skip
def test_a_host_header_that_is_no_host_with_or_without_a_port_is_refused(host: str) -> None:
    with pytest.raises(ForbiddenError):
        check_browser(request(host=host))


@pytest.mark.parametrize("origin", ["http://[::1", "http://[x]", "//", ""])
def test_an_origin_that_is_no_address_is_foreign(origin: str) -> None:
    with pytest.raises(ForbiddenError):
        check_browser(request(host="localhost", origin=origin))
