"""The rows of the table: a `Route` describes one method of one path. The router, the gate and the OpenAPI document
read the same row.

Each noun declares its rows beside its handlers; `squall.api.table` lists all of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, NamedTuple

from squall.api.http.wire import Answer

JSON = "application/json"
EVENTS = "text/event-stream; charset=UTF-8"
TEXT = "Text"
"""The schema of bodies that are plain text."""
ANY_BODY = "AnyBody"
"""The schema of bodies of all content types."""
PAGE = ("limit", "offset")
SELECT = ("include_attributes", "exclude_attributes")
READ = (400, 401, 403, 404, 503)
WRITE = (*READ, 409, 413, 415)
OPEN_ERRORS = (503,)

_ANY = -1
"""The length under which the router files paths whose last value may span slashes."""

AREAS = {"api": "/v1", "auth": "/auth/v1", "stream": "/stream/v1"}
_UNVERSIONED = ("/healthz", "/readyz", "/metrics", "/openapi.json")

Handler = Callable[..., Awaitable[Answer | None]]
"""A function that takes the request, and for streams also ASGI's `send`. It returns the answer, or None if it has sent
everything itself. In a table it is a method that `bound` binds to an instance."""


class Permission(NamedTuple):
    """The users that may use a route. `doing` completes the refusal "… and … needs one"."""

    level: Literal["open", "signed", "user", "admin"]
    doing: str = ""


OPEN = Permission("open")
"""Everybody, without a credential."""
SIGNED = Permission("signed")
"""Everybody with a valid credential. If the path's `url` is a webhook with secrets, everybody: the handler checks the
signature."""
USER = Permission("user")
"""Everybody with a valid credential."""


def admin(doing: str) -> Permission:
    """Returns the permission of a route that only administrators may use."""
    return Permission("admin", doing)


class Route(NamedTuple):
    """One method of one path of an area (`api`, `auth` or `stream`).

    `path` has `{names}`; one may span slashes (`{name*}`), and words or names may follow it. `query` holds names of
    `schemas.QUERY`; `count of fires` is the parameter `count`. `body` and `answer` name schemas of `schemas.SCHEMAS`;
    if `listed`, the answer is a list of `answer`. `status` is the status of success, `errors` are the statuses of its
    errors (None: those of all routes with this method). `types` are the content types of the answer. If a route
    `streams`, its handler gets ASGI's `send`, and its query may hold a credential.
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
    """Returns the two routes that list the objects of a noun and show one of them."""
    return (
        Route("GET", root, lists, f"List {name}s", schema, (*query, *PAGE), listed=True),
        Route("GET", f"{root}/{{{key}}}", shows, f"Show one {name}", schema),
    )


def bound(table: Iterable[Route], owner: object) -> list[Route]:
    """Returns the rows with their handlers bound to `owner`, an instance of the class that defines them."""
    return [route._replace(handler=functools.partial(route.handler, owner)) for route in table]


class Match(NamedTuple):
    """A route for a path, and the values of the path's names."""

    route: Route
    values: dict[str, str]


class _Shape(NamedTuple):
    """A path with names. `words` are the segments after the first that must be equal, `names` are the segments that are
    values, each with its index. `span` is the value that may span slashes: its name, the index at which it begins, and
    the number of segments behind it, which have negative indices. `length` is the number of segments of the route."""

    route: Route
    words: tuple[tuple[int, str], ...]
    names: tuple[tuple[int, str], ...]
    span: tuple[str, int, int] | None
    length: int

    def values(self, segments: list[str]) -> dict[str, str] | None:
        """Returns the values of the names, or None if the path has another shape. No value is empty."""
        for at, word in self.words:
            if segments[at] != word:
                return None
        values = {name: segments[at] for at, name in self.names}
        if self.span is not None:
            name, begin, behind = self.span
            values[name] = "/".join(segments[begin : len(segments) - behind])
        return values if all(values.values()) else None


def _shape(route: Route) -> _Shape:
    segments = route.path.split("/")
    begin = next((at for at, each in enumerate(segments) if each.endswith("*}")), None)
    span = None
    if begin is not None:
        span = (segments[begin].strip("{*}"), begin, len(segments) - begin - 1)
    places = [
        (at if begin is None or at < begin else at - len(segments), each)
        for at, each in enumerate(segments)
        if at != begin
    ]
    names = tuple((at, each.strip("{}")) for at, each in places if each.startswith("{"))
    words = tuple((at, each) for at, each in places if at not in (0, 1) and not each.startswith("{"))
    return _Shape(route, words, names, span, len(segments))


class Router:
    """The index of routes by area, path and method. Time of a lookup does not grow with the number of routes.

    A path without names is one lookup in a dict. Other paths are filed by their first word and their length, or only by
    their first word if a value may span slashes. Among these, paths with more words go before others.
    """

    def __init__(self, table: Iterable[Route]) -> None:
        self._fixed: dict[tuple[str, str, str], Route] = {}
        self._shapes: dict[tuple[str, str, str, int], list[_Shape]] = {}
        self._methods: set[str] = set()
        declared: set[tuple[str, str, str]] = set()
        for route in sorted(table, key=lambda route: ["{" in segment for segment in route.path.split("/")]):
            form = (route.area, route.method, re.sub(r"\{\w+", "{", route.path))
            if form in declared:
                raise ValueError(f"{route.method} {route.full_path} is declared twice")
            declared.add(form)
            self._methods.add(route.method)
            if "{" not in route.path:
                self._fixed[route.area, route.method, route.path] = route
                continue
            shape = _shape(route)
            _, first, *others = route.path.split("/")
            length = _ANY if shape.span is not None else len(others) + 2
            self._shapes.setdefault((route.area, route.method, first, length), []).append(shape)
        for (_, _, _, length), shapes in self._shapes.items():
            if length == _ANY:
                shapes.sort(key=lambda shape: -len(shape.words))

    def match(self, area: str, path: str, method: str) -> Match | None:
        """Returns the route that answers, or None. The route of GET answers HEAD."""
        if method == "HEAD":
            method = "GET"
        if (route := self._fixed.get((area, method, path))) is not None:
            return Match(route, {})
        segments = path.split("/")
        first = segments[1] if len(segments) > 1 else ""
        for length in (len(segments), _ANY):
            for shape in self._shapes.get((area, method, first, length), ()):
                fits = length != _ANY or len(segments) >= shape.length
                if fits and (values := shape.values(segments)) is not None:
                    return Match(shape.route, values)
        return None

    def methods(self, area: str, path: str) -> list[str]:
        """Returns the methods of a path for `Allow`; an empty list if the path does not exist."""
        methods = {method for method in self._methods if self.match(area, path, method) is not None}
        return allowed(methods) if methods else []


def allowed(methods: Iterable[str]) -> list[str]:
    """Returns the methods and those that come with them: HEAD with GET, and OPTIONS always."""
    names = {*methods, "OPTIONS"}
    return sorted(names | {"HEAD"} if "GET" in names else names)
