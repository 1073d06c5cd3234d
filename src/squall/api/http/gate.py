"""Lets requests in: finds the credential, wherever it stands, and asks who holds it."""

from __future__ import annotations

import functools
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from squall.api.http.hosts import check_browser
from squall.api.http.routes import Route
from squall.api.http.wire import Query, Request
from squall.core.access.access import COOKIE, HEADER, QUERY, TOKEN, Identity, check_admin
from squall.core.errors import ForbiddenError, UnauthorizedError
from squall.services.access.access import Access

COOKIE_NAME = "auth-token"
_TOKEN_QUERY, _KEY_QUERY = "x-auth-token", "st2-api-key"
_READING = ("GET", "HEAD")


class Shown(NamedTuple):
    """A credential as it was found in a request."""

    value: str
    is_key: bool
    location: str


class Gate:
    """Where every request passes. Without authentication all are the server's own user, from this machine only."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def admit(self, request: Request, route: Route) -> str:
        """Gives the request its identity, and checks the route's permission. Returns the cookie to set, or "".

        Credentials in the query are taken by streams only, as a browser's EventSource can send them no other way; they
        are taken out of the request, so that no log and no error can show them. Raises `UnauthorizedError` in
        StackStorm's words, and `ForbiddenError` for what only a foreign page would send or only an administrator may.
        """
        if route.permission.level == "open":
            return ""
        cookie = await self._identify(request, route.streams)
        if route.permission.level == "admin":
            check_admin(request.identity, route.permission.doing)
        return cookie

    async def _identify(self, request: Request, streams: bool) -> str:
        if not self._access.rules.enabled:
            request.identity = self._access.named(request.header("x-auth-token") or "")
            return ""
        hidden = _take_from_query(request)
        shown = _from_headers(request) or (hidden if streams and request.scope["method"] in _READING else None)
        shown = shown or _from_cookie(request)
        if shown is None:
            raise UnauthorizedError("Unauthorized - One of Token or API key required.")
        by = self._access.by_key if shown.is_key else self._access.by_token
        identity = await by(shown.value, shown.location)
        request.identity = identity
        if streams:
            request.until_void = functools.partial(self._access.until_void, identity)
        if identity.method != TOKEN or identity.service or shown.location == COOKIE:
            return ""
        return cookie(request, shown.value, identity, self._access.now())

    def check_origin(self, request: Request) -> None:
        """Refuses foreign pages, where nothing else would. Raises `ForbiddenError`."""
        if not self._access.rules.enabled:
            check_browser(request)


def cookie(request: Request, token: str, identity: Identity, now: int) -> str:
    """The `Set-Cookie` of a token; with an empty one, that takes it back. Scripts cannot read it, other sites' pages
    cannot send it."""
    left = max(0, (identity.expires - now) // 1_000_000) if token and identity.expires is not None else 0
    secure = "; Secure" if request.header("x-forwarded-proto") == "https" else ""
    return f"{COOKIE_NAME}={token}; Path=/; Max-Age={left}; HttpOnly; SameSite=Strict{secure}"


def _from_headers(request: Request) -> Shown | None:
    if token := request.header("x-auth-token"):
        return Shown(token, False, HEADER)
    if key := request.header("st2-api-key"):
        return Shown(key, True, HEADER)
    scheme, _, value = (request.header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return Shown(value.strip(), False, HEADER)
    return None


def _take_from_query(request: Request) -> Shown | None:
    pairs = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] not in (_TOKEN_QUERY, _KEY_QUERY)]
    if len(kept) == len(pairs):
        return None
    request.scope["query_string"] = urlencode(kept).encode()
    request.query = Query(request.scope["query_string"])
    found = {name: value for name, value in pairs if value}
    if _TOKEN_QUERY in found:
        return Shown(found[_TOKEN_QUERY], False, QUERY)
    return Shown(found[_KEY_QUERY], True, QUERY) if _KEY_QUERY in found else None


def _from_cookie(request: Request) -> Shown | None:
    """The cookie's token. A browser sends it by itself, so a page of ours must be what asks: a write must say so."""
    try:
        found = SimpleCookie(request.header("cookie") or "").get(COOKIE_NAME)
    except CookieError:
        return None
    if found is None or not found.value:
        return None
    origin, host = request.header("origin"), request.header("host") or ""
    ours = origin is not None and urlsplit(origin).netloc.lower() == host.lower()
    if not ours and (origin is not None or request.scope["method"] not in _READING):
        raise ForbiddenError(f"Origin: a request with the cookie must come from {host!r}, not from {origin!r}.")
    return Shown(found.value, False, COOKIE)
