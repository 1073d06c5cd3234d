"""The router finds what a scan of all routes in their order would find, by the shape of the path."""

from __future__ import annotations

import asyncio

import pytest

from squall.api.http.routes import Route, Router, allowed, bound
from squall.api.http.wire import Answer, Request
from squall.api.table import TABLE


async def nothing(request: Request) -> Answer:
    return Answer(request.path)


ROUTER = Router(
    [
        Route("GET", "/", nothing),
        Route("GET", "/packs", nothing),
        Route("GET", "/packs/{ref}", nothing),
        Route("DELETE", "/packs/{ref}", nothing),
        Route("GET", "/packs/index", nothing),
        Route("POST", "/packs/{ref}/views", nothing),
        Route("GET", "/packs/index/{name}", nothing),
        Route("GET", "/files/{ref}/{path*}", nothing),
        Route("GET", "/packs", nothing, area="stream"),
        Route("GET", "/hooks/{url*}", nothing),
        Route("GET", "/hooks/{url*}/log/{id}", nothing),
        Route("GET", "/hooks/{url*}/log", nothing),
        Route("POST", "/hooks/{url*}/log/{id}/replay", nothing),
        Route("POST", "/hooks/{url*}", nothing),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "expected", "values"),
    [
        ("GET", "/", "/", {}),
        ("HEAD", "/packs", "/packs", {}),
        ("GET", "/packs/core", "/packs/{ref}", {"ref": "core"}),
        ("GET", "/packs/index", "/packs/index", {}),
        ("DELETE", "/packs/index", "/packs/{ref}", {"ref": "index"}),
        ("POST", "/packs/index/views", "/packs/{ref}/views", {"ref": "index"}),
        ("GET", "/packs/index/views", "/packs/index/{name}", {"name": "views"}),
        ("GET", "/files/core/a/b.py", "/files/{ref}/{path*}", {"ref": "core", "path": "a/b.py"}),
        ("GET", "/files/core//b", "/files/{ref}/{path*}", {"ref": "core", "path": "/b"}),
        ("GET", "/hooks/a/b/c", "/hooks/{url*}", {"url": "a/b/c"}),
        ("GET", "/hooks/a/b/log", "/hooks/{url*}/log", {"url": "a/b"}),
        ("GET", "/hooks/log", "/hooks/{url*}", {"url": "log"}),
        ("GET", "/hooks/log/log", "/hooks/{url*}/log", {"url": "log"}),
        ("GET", "/hooks/a/b/log/7", "/hooks/{url*}/log/{id}", {"url": "a/b", "id": "7"}),
        ("POST", "/hooks/a/b/log/7/replay", "/hooks/{url*}/log/{id}/replay", {"url": "a/b", "id": "7"}),
        ("POST", "/hooks/log/7/replay", "/hooks/{url*}", {"url": "log/7/replay"}),
    ],
)
def test_a_word_goes_before_a_name_unless_it_lacks_the_method(
    method: str, path: str, expected: str, values: dict[str, str]
) -> None:
    match = ROUTER.match("api", path, method)
    assert match is not None
    assert (match.route.path, match.values) == (expected, values)


@pytest.mark.parametrize(
    "path", ["/packs/", "/packs//", "/files/core", "/files/core/", "//packs", "/hooks", "/hooks/", ""]
)
def test_an_empty_segment_is_no_value(path: str) -> None:
    assert ROUTER.match("api", path, "GET") is None
    assert ROUTER.methods("api", path) == []


def test_the_methods_of_a_path_are_those_of_all_shapes_that_match() -> None:
    assert ROUTER.methods("api", "/packs/index") == ["DELETE", "GET", "HEAD", "OPTIONS"]
    assert ROUTER.methods("api", "/packs/core/views") == ["OPTIONS", "POST"]
    assert ROUTER.methods("stream", "/packs") == ["GET", "HEAD", "OPTIONS"]
    assert ROUTER.methods("auth", "/packs") == []
    assert allowed(["PUT"]) == ["OPTIONS", "PUT"]


def test_a_route_that_is_declared_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="is declared twice"):
        Router([Route("GET", "/a/{y}", nothing), Route("GET", "/a/{x}", nothing)])


def test_every_route_of_the_table_is_found_by_its_own_path() -> None:
    router = Router(TABLE)
    for route in TABLE:
        path = route.path.replace("*}", "}")
        match = router.match(route.area, path, route.method)
        assert match is not None
        assert match.route == route


def test_a_signature_opens_only_the_route_of_webhooks() -> None:
    signed = {(route.method, route.full_path) for route in TABLE if route.permission.level == "signed"}
    assert signed == {("POST", "/v1/webhooks/{url}")}


def test_routes_that_take_no_credential_are_these() -> None:
    assert {(route.method, route.full_path) for route in TABLE if route.permission.level == "open"} == {
        ("POST", "/auth/v1/tokens"),
        ("GET", "/auth/v1/sso"),
        ("GET", "/auth/v1/sso/request"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
    }


class Greeter:
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    async def greet(self, request: Request) -> Answer:
        return Answer(self.greeting)


def test_bound_rows_answer_with_their_instance() -> None:
    async def greeting() -> Answer | None:
        (row,) = bound([Route("GET", "/greet", Greeter.greet)], Greeter("hello"))
        return await row.handler(None)

    answer = asyncio.run(greeting())
    assert answer is not None
    assert answer.content == b'"hello"'
