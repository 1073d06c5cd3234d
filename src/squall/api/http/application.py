"""The ASGI application: prefixes, routes, defences, and errors as StackStorm's clients read them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from squall.api.http.gate import Gate
from squall.api.http.hosts import check_content_type
from squall.api.http.routes import Route, Router, allowed
from squall.api.http.web import WebFiles
from squall.api.http.wire import Answer, Request, failure
from squall.core.errors import NotFoundError, SquallError

_LOG = logging.getLogger("squall.api")
_NAME = 200
"""The most characters of a path in the name of a task."""
_NOT_FOUND = "The resource could not be found."
_ALL_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]
"""The methods of the server as a whole: the answer to `OPTIONS *` (RFC 9110 9.3.7)."""

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


def locate(path: str, home: str, raw: bytes = b"") -> tuple[str, str]:
    """Returns the area of a request's path and the path inside that area. `home` is the area of paths without a prefix,
    `raw` the path as it was sent.

    A trailing slash is ignored, unless it is encoded as a part of a name. The version in the prefix is optional.
    """
    is_of_name = raw[-3:].upper() == b"%2F"
    path = "/" + (path.lstrip("/") if is_of_name else path.strip("/"))
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


class Application:
    """The ASGI application. It answers requests that `gate` admits. `home` is the area of unprefixed paths,
    `body_limit` is in bytes, `web` is the page for browsers."""

    def __init__(
        self, routes: Sequence[Route], gate: Gate, *, body_limit: int, home: str = "api", web: WebFiles | None = None
    ) -> None:
        self._gate = gate
        self._router = Router(routes)
        self._body_limit = body_limit
        self._home = home
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, and turns errors into answers that StackStorm's clients read."""
        if scope["type"] != "http":
            return
        sent_id = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = sent_id[:128] or os.urandom(16).hex().encode()
        if (task := asyncio.current_task()) is not None:
            # The watchdog of the event loop logs this name.
            task.set_name(f"{scope['method']} {scope['path'][:_NAME]}")
        try:
            answer = await self._answer(scope, receive, send)
        except SquallError as error:
            conflict_id, retry_after = getattr(error, "conflict_id", ""), getattr(error, "retry_after", 0)
            answer = failure(error.http_status, str(error), conflict_id, retry_after)
        except Exception:
            _LOG.exception(
                "a request failed", extra={"path": scope["path"], "request_id": request_id.decode("latin-1")}
            )
            answer = failure(500, "Internal Server Error")
        if answer is not None:
            await answer.send(send, request_id, body=scope["method"] != "HEAD")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        probe = Request(scope, receive, {}, self._body_limit)
        self._gate.check_origin(probe)
        if "\0" in scope["path"]:
            # No name in Squall has a null byte, and the system's calls refuse one.
            raise NotFoundError(_NOT_FOUND)
        if self._web is not None and (page := self._web.answer(probe, scope["path"])) is not None:
            return page
        area, path = locate(scope["path"], self._home, scope.get("raw_path") or b"")
        match = self._router.match(area, path, scope["method"])
        if match is None:
            return self._unrouted(scope, area, path)
        check_content_type(probe, match.route)
        return await self._routed(match.route, Request(scope, receive, match.values, self._body_limit), send)

    def _unrouted(self, scope: Scope, area: str, path: str) -> Answer:
        """Answers a request that no route matches: OPTIONS, a method that the path lacks, a path that does not
        exist."""
        methods = self._router.methods(area, path)
        if scope["path"] == "*":
            methods = _ALL_METHODS
        if not methods and self._web is not None and self._web.holds(scope["path"]):
            methods = allowed(["GET"])
        if not methods:
            return failure(404, _NOT_FOUND)
        headers = {"Allow": ", ".join(methods)}
        if scope["method"] == "OPTIONS":
            return Answer(status=204, headers=headers)
        refusal = failure(405, f"{scope['path']} has no method {scope['method']}. Use one of: {headers['Allow']}.")
        refusal.headers |= headers
        return refusal

    async def _routed(self, route: Route, request: Request, send: Send) -> Answer | None:
        cookie = await self._gate.admit(request, route)
        answer = await (route.handler(request, send) if route.streams else route.handler(request))
        if answer is not None and cookie and not route.streams:
            answer.headers.setdefault("Set-Cookie", cookie)
        return answer
