"""Admits requests: finds the credential in the headers, the query or the cookie, and looks up its holder."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from squall.api.http.hosts import check_browser, netloc
from squall.api.http.routes import Route
from squall.api.http.wire import Query, Request
from squall.core.access.access import COOKIE, HEADER, QUERY, TOKEN, Identity, check_admin
from squall.core.errors import ForbiddenError, UnauthorizedError
from squall.services.access.access import Access

COOKIE_NAME = "auth-token"
_TOKEN_QUERY, _KEY_QUERY = "x-auth-token", "st2-api-key"
_READING = ("GET", "HEAD")


class Credential(NamedTuple):
    """The credential of a request: its text, its kind and its location in the request."""

    value: str
    is_key: bool
    location: str


class Gate:
    """The check that every request passes. If authentication is off, each request acts as the server's own user, and
    only requests from this machine are admitted.

    `is_signed` tells whether a signature opens the webhook with a URL; by default it opens none."""

    def __init__(self, access: Access, is_signed: Callable[[str], Awaitable[bool]] | None = None) -> None:
        self._access = access
        self._is_signed = is_signed

    async def admit(self, request: Request, route: Route) -> str:
        """Sets the identity of the request and checks the route's permission. Returns the cookie to set, or "".

        Only streams accept a credential in the query, because a browser's EventSource can send it no other way. The
        credential is removed from the request's query, so that no log and no error can show it. Raises
        `UnauthorizedError` in StackStorm's words. Raises `ForbiddenError` for requests of foreign pages, and for users
        who lack the permission.
        """
        if route.permission.level == "open":
            return ""
        if route.permission.level == "signed" and await self._opens_by_signature(request):
            try:
                return await self._identify(request, streams=False)
            except UnauthorizedError:
                request.identity = Identity(user="", admin=False)
                return ""
        cookie = await self._identify(request, route.streams)
        if route.permission.level == "admin":
            check_admin(request.identity, route.permission.doing)
        return cookie

    async def _opens_by_signature(self, request: Request) -> bool:
        return self._is_signed is not None and await self._is_signed(request.path["url"].strip("/"))

    async def _identify(self, request: Request, streams: bool) -> str:
        if not self._access.rules.enabled:
            request.identity = self._access.named(request.header("x-auth-token") or "")
            return ""
        query_credential = _take_from_query(request)
        if not streams or request.scope["method"] not in _READING:
            query_credential = None
        credential = _from_headers(request) or query_credential or _from_cookie(request)
        if credential is None:
            raise UnauthorizedError("Unauthorized - One of Token or API key required.")
        look_up = self._access.by_key if credential.is_key else self._access.by_token
        identity = await look_up(credential.value, credential.location)
        request.identity = identity
        if streams:
            request.until_void = functools.partial(self._access.until_void, identity)
        if identity.method != TOKEN or identity.service or credential.location == COOKIE:
            return ""
        return cookie(request, credential.value, identity, self._access.now())

    def check_origin(self, request: Request) -> None:
        """Refuses requests of foreign pages if authentication is off. Raises `ForbiddenError`."""
        if not self._access.rules.enabled:
            check_browser(request)


def cookie(request: Request, token: str, identity: Identity, now: int) -> str:
    """Returns the `Set-Cookie` header of a token; an empty `token` deletes the cookie. Scripts cannot read the cookie,
    and pages of other sites cannot send it. `now` is in µs."""
    max_age = max(0, (identity.expires - now) // 1_000_000) if token and identity.expires is not None else 0
    secure = "; Secure" if request.header("x-forwarded-proto") == "https" else ""
    return f"{COOKIE_NAME}={token}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}"


def _from_headers(request: Request) -> Credential | None:
    if token := request.header("x-auth-token"):
        return Credential(token, False, HEADER)
    if key := request.header("st2-api-key"):
        return Credential(key, True, HEADER)
    scheme, _, value = (request.header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return Credential(value.strip(), False, HEADER)
    return None


def _take_from_query(request: Request) -> Credential | None:
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    remaining = [pair for pair in pairs if pair[0] not in (_TOKEN_QUERY, _KEY_QUERY)]
    if len(remaining) == len(pairs):
        return None
    request.scope["query_string"] = urlencode(remaining).encode()
    request.query = Query(request.scope["query_string"])
    values = {name: value for name, value in pairs if value}
    if _TOKEN_QUERY in values:
        return Credential(values[_TOKEN_QUERY], False, QUERY)
    return Credential(values[_KEY_QUERY], True, QUERY) if _KEY_QUERY in values else None


def _from_cookie(request: Request) -> Credential | None:
    """Returns the token in the cookie. A browser sends the cookie by itself, so only a page of this server may cause
    the request: a write needs an `Origin` of this server. Raises `ForbiddenError` for other origins."""
    try:
        morsel = SimpleCookie(request.header("cookie") or "").get(COOKIE_NAME)
    except CookieError:
        return None
    if morsel is None or not morsel.value:
        return None
    origin, host = request.header("origin"), request.header("host") or ""
    ours = origin is not None and netloc(origin) == host.lower()
    if not ours and (origin is not None or request.scope["method"] not in _READING):
        raise ForbiddenError(f"Origin: a request with the cookie must come from {host!r}, not from {origin!r}.")
    return Credential(morsel.value, False, COOKIE)
