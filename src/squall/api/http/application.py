"""The ASGI application: prefixes, routes, defences, and errors as StackStorm's clients read them."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from squall.api.http.gate import Gate
from squall.api.http.hosts import check_content_type
from squall.api.http.web import WebFiles
from squall.api.http.wire import Answer, Request, failure
from squall.core.errors import SquallError

_LOG = logging.getLogger("squall.api")
_NOT_FOUND = "The resource could not be found."

Handler = Callable[[Request], Awaitable[Answer]]
Streamer = Callable[[Request, Send], Awaitable[Answer | None]]


class Route(NamedTuple):
    """What answers one method and path. `path` has `{names}`, the last of which may be a path itself (`{name*}`); the
    area is `api`, `auth` or `stream`.

    A `streamer` sends by itself and gives None, or gives an answer like a `handler`. An `open` route asks nobody who
    they are.
    """

    method: str
    path: str
    handler: Handler | None = None
    streamer: Streamer | None = None
    area: str = "api"
    open: bool = False


class _Compiled(NamedTuple):
    method: str
    pattern: re.Pattern[str]
    route: Route


_PREFIXES = (
    ("/stream/v1", "stream"),
    ("/stream", "stream"),
    ("/auth/v1", "auth"),
    ("/auth", "auth"),
    ("/api/v1", "api"),
    ("/api", "api"),
    ("/v1", "api"),
)
# Older clients find the stream below the API's prefix.
_STREAM_IN_API = "/stream"


def locate(path: str, home: str) -> tuple[str, str]:
    """(area, path inside it) of a request's path. `home` is the area of paths without a prefix.

    A trailing slash means nothing, and an area may be asked with or without a version.
    """
    path = "/" + path.strip("/")
    if home == "api":
        for prefix, area in _PREFIXES:
            if path == prefix or path.startswith(prefix + "/"):
                rest = path[len(prefix) :] or "/"
                if area == "api" and rest == _STREAM_IN_API:
                    return "stream", "/stream"
                if area == "stream" and rest == "/":
                    return "stream", "/stream"
                return area, rest
        return "api", path
    if path == "/v1" or path.startswith("/v1/"):
        path = path[len("/v1") :] or "/"
    return home, path


def _pattern(path: str) -> re.Pattern[str]:
    found = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    return re.compile("^" + re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", found) + "$")


class Application:
    """Answers requests that `gate` lets in. `home` is the area of unprefixed paths; `body_limit` is in bytes; `web` is
    the page for browsers."""

    def __init__(
        self, routes: Sequence[Route], gate: Gate, *, body_limit: int, home: str = "api", web: WebFiles | None = None
    ) -> None:
        self._gate = gate
        self._routes = [_Compiled(route.method, _pattern(route.path), route) for route in routes]
        self._body_limit = body_limit
        self._home = home
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given[:128] or os.urandom(16).hex().encode()
        try:
            answer = await self._answer(scope, receive, send)
        except SquallError as error:
            answer = failure(error.http_status, str(error))
        except Exception:
            _LOG.exception(
                "a request failed", extra={"path": scope["path"], "request_id": request_id.decode("latin-1")}
            )
            answer = failure(500, "Internal Server Error")
        if answer is not None:
            await answer.send(send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        area, path = locate(scope["path"], self._home)
        probe = Request(scope, receive, {}, self._body_limit)
        self._gate.check_origin(probe)
        check_content_type(probe, path)
        if self._web is not None and (page := self._web.answer(probe, scope["path"])) is not None:
            return page
        for method, pattern, route in self._routes:
            if method != scope["method"] or route.area != area:
                continue
            match = pattern.match(path)
            if match is None:
                continue
            return await self._routed(route, Request(scope, receive, match.groupdict(), self._body_limit), send)
        return failure(404, _NOT_FOUND)

    async def _routed(self, route: Route, request: Request, send: Send) -> Answer | None:
        cookie = "" if route.open else await self._gate.admit(request, streams=route.streamer is not None)
        if route.streamer is not None:
            return await route.streamer(request, send)
        if route.handler is None:
            return failure(404, _NOT_FOUND)
        answer = await route.handler(request)
        if cookie:
            answer.headers.setdefault("Set-Cookie", cookie)
        return answer
