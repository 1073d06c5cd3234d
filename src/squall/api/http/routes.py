"""The table's rows: one `Route` says everything about one method of one path. The router, the gate and the OpenAPI
document read the same row.

Each noun declares its rows beside its handlers; `squall.api.table` lists all of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from squall.api.http.wire import Answer

JSON = "application/json"
EVENTS = "text/event-stream; charset=UTF-8"
TEXT = "Text"
"""The schema of bodies that are plain text."""
PAGE = ("limit", "offset")
SELECT = ("include_attributes", "exclude_attributes")
READ = (400, 401, 403, 404, 503)
WRITE = (*READ, 409, 413, 415)
OPEN_ERRORS = (503,)

AREAS = {"api": "/v1", "auth": "/auth/v1", "stream": "/stream/v1"}
_UNVERSIONED = ("/healthz", "/readyz", "/metrics", "/openapi.json")

Handler = Callable[..., Awaitable[Answer | None]]
"""Takes the request, of streams also ASGI's `send`. Returns the answer, or None if it has sent everything itself. In a
table it is a method that `bound` gives its instance."""


class Permission(NamedTuple):
    """Who may use a route. `doing` completes the refusal "… needs an administrator"."""

    level: Literal["open", "user", "admin"]
    doing: str = ""


OPEN = Permission("open")
"""Everybody, without a credential."""
USER = Permission("user")
"""Everybody with a valid credential."""


def admin(doing: str) -> Permission:
    """Administrators only."""
    return Permission("admin", doing)


class Route(NamedTuple):
    """One method of one path of an area (`api`, `auth` or `stream`).

    `path` has `{names}`; the last may span slashes (`{name*}`). `query` holds names of `schemas.QUERY`. `body` and
    `answer` name schemas of `schemas.SCHEMAS`; if `listed`, the answer is a list of `answer`. `status` is the status of
    success, `errors` the other ones (None: those that all routes of the method have). `types` are the content types of
    the answer. A route that `streams` is given ASGI's `send`, and takes credentials in its query.
    """

    method: str
    path: str
    handler: Handler
    summary: str = ""
    answer: str | None = None
    query: tuple[str, ...] = ()
    body: str | None = None
    status: int = 200
    listed: bool = False
    errors: tuple[int, ...] | None = None
    types: tuple[str, ...] = (JSON,)
    area: str = "api"
    streams: bool = False
    permission: Permission = USER

    @property
    def full_path(self) -> str:
        """The path with its area's prefix, as the OpenAPI document writes it."""
        if self.path in _UNVERSIONED:
            return self.path
        return (AREAS[self.area] + self.path).rstrip("/").replace("*}", "}")

    @property
    def operation_id(self) -> str:
        """The name of the operation, unique among all routes."""
        words = re.findall(r"\w+", f"{self.area} {self.path.replace('{', 'by ')}")
        return "_".join([self.method.lower(), *words])

    @property
    def failures(self) -> tuple[int, ...]:
        """The statuses of its errors."""
        if self.errors is not None:
            return self.errors
        return READ if self.method == "GET" else WRITE


def noun(
    root: str, name: str, schema: str, key: str, query: tuple[str, ...], lists: Handler, shows: Handler
) -> tuple[Route, Route]:
    """The two routes that list a noun and show one of it."""
    return (
        Route("GET", root, lists, f"List {name}s", schema, (*query, *PAGE), listed=True),
        Route("GET", f"{root}/{{{key}}}", shows, f"Show one {name}", schema),
    )


def bound(table: Iterable[Route], owner: object) -> list[Route]:
    """The rows with their handlers bound to an instance of the class that defines them."""
    return [route._replace(handler=functools.partial(route.handler, owner)) for route in table]


class Match(NamedTuple):
    """A route for a path, and the values of the path's names."""

    route: Route
    values: dict[str, str]


class _Node:
    """The routes whose paths begin with the same segments."""

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.value: _Node | None = None
        self.rest: dict[str, Route] = {}
        self.routes: dict[str, Route] = {}

    def add(self, segments: list[str], route: Route) -> None:
        """Files a route under the segments that are left of its path. Raises `ValueError` if there is one already."""
        if not segments or segments[0].endswith("*}"):
            routes = self.rest if segments else self.routes
            if route.method in routes:
                raise ValueError(f"{route.method} {route.full_path} is declared twice")
            routes[route.method] = route
        elif segments[0].startswith("{"):
            self.value = self.value or _Node()
            self.value.add(segments[1:], route)
        else:
            self.words.setdefault(segments[0], _Node()).add(segments[1:], route)

    def find(self, segments: list[str], at: int) -> Iterator[dict[str, Route]]:
        """The routes of each path shape that matches, by method; shapes with words before those with names."""
        if at == len(segments):
            if self.routes:
                yield self.routes
            return
        segment = segments[at]
        if (node := self.words.get(segment)) is not None:
            yield from node.find(segments, at + 1)
        if self.value is not None and segment:
            yield from self.value.find(segments, at + 1)
        if self.rest and any(segments[at:]):
            yield self.rest


class Router:
    """Finds routes by area, path and method, in time that does not grow with the number of routes."""

    def __init__(self, table: Iterable[Route]) -> None:
        self._roots: dict[str, _Node] = {}
        for route in table:
            self._roots.setdefault(route.area, _Node()).add(_segments(route.path), route)

    def match(self, area: str, path: str, method: str) -> Match | None:
        """The route that answers, or None. HEAD is answered by the route of GET."""
        segments = _segments(path)
        wanted = "GET" if method == "HEAD" else method
        for routes in self._shapes(area, segments):
            if (route := routes.get(wanted)) is not None:
                return Match(route, _values(route, segments))
        return None

    def methods(self, area: str, path: str) -> list[str]:
        """The methods that a path has, for `Allow`; none if there is no such path."""
        found = {method for routes in self._shapes(area, _segments(path)) for method in routes}
        return allowed(found) if found else []

    def _shapes(self, area: str, segments: list[str]) -> Iterator[dict[str, Route]]:
        root = self._roots.get(area)
        return root.find(segments, 0) if root is not None else iter(())


def allowed(methods: Iterable[str]) -> list[str]:
    """The methods with those that come with them: HEAD with GET, and OPTIONS always."""
    found = {*methods, "OPTIONS"}
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _segments(path: str) -> list[str]:
    return path.split("/")[1:]


def _values(route: Route, segments: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for at, name in enumerate(_segments(route.path)):
        if name.endswith("*}"):
            values[name[1:-2]] = "/".join(segments[at:])
        elif name.startswith("{"):
            values[name[1:-1]] = segments[at]
    return values
