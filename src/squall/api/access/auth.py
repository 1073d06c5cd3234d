"""Tokens, API keys, and who one is, over HTTP."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from squall.api.http.gate import cookie
from squall.api.http.pages import page
from squall.api.http.routes import OPEN, OPEN_ERRORS, READ, Route, bound, noun
from squall.api.http.wire import Answer, Request, failure, field
from squall.core.access.access import TOKEN, ApiKey, Identity, Token, reveals
from squall.core.access.secret import MASK
from squall.core.errors import InvalidError, UnauthorizedError
from squall.core.timestamp import to_iso
from squall.services.access.access import Access

_DEFAULT_LIMIT = 50
_KEY_FIELDS = {"id", "uid", "user", "key_hash", "key", "metadata", "created_at", "enabled"}
_NO_SSO = (
    'The default "noop" SSO backend is not a proper implementation. '
    "Please refer to the enterprise version for configuring SSO."
)


class AuthRoutes:
    """`/tokens` and `/sso` below the area of authentication, `/apikeys` and `/user` below the API's.

    `api_url` is told with each token, as StackStorm's clients may ask for it.
    """

    def __init__(self, access: Access, api_url: str) -> None:
        self._access = access
        self._api_url = api_url

    def routes(self) -> list[Route]:
        """The rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    # -- tokens

    async def _login(self, request: Request) -> Answer:
        user, password = _basic(request)
        document = await request.document()
        ttl = document.get("ttl")
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, int)):
            raise InvalidError(f"{ttl!r} is not of type 'integer', 'null'")
        if ttl is not None and ttl < 1:
            raise InvalidError(f"{ttl} is less than the minimum of 1")
        asked = field(document, "user", str, "string")
        client = request.scope.get("client")
        token, shown = await self._access.login(user, password, client[0] if client else "", ttl)
        if asked and asked != user:
            await self._access.revoke(token.hash)
            raise InvalidError("Current user is not a service and cannot request impersonated tokens")
        holder = Identity(user=token.user, expires=token.expires)
        headers = {
            "X-API-URL": self._api_url,
            "Set-Cookie": cookie(request, shown, holder, self._access.now()),
            "Cache-Control": "no-store",
        }
        return Answer(_token_document(token, shown), 201, headers)

    async def _logout(self, request: Request) -> Answer:
        if request.identity.method == TOKEN:
            await self._access.revoke(request.identity.credential)
        return Answer(status=204, headers={"Set-Cookie": cookie(request, "", request.identity, 0)})

    async def _validate(self, request: Request) -> Answer:
        shown = field(await request.document(), "token", str, "string")
        if not shown:
            raise InvalidError("Token is not provided.")
        return Answer({"valid": await self._access.is_valid(shown)})

    async def _sso(self, request: Request) -> Answer:
        return Answer({"enabled": False})

    async def _sso_request(self, request: Request) -> Answer:
        return failure(500, _NO_SSO)

    async def _user(self, request: Request) -> Answer:
        who = request.identity
        found: dict[str, Any] = {
            "username": who.user,
            "authentication": {"method": who.method or "none", "location": who.location or "none"},
            "rbac": {"enabled": False, "roles": [], "is_admin": who.admin},
        }
        if who.expires is not None:
            # Without a fraction of a second, as recorded.
            found["authentication"]["token_expire"] = to_iso(who.expires // 1_000_000 * 1_000_000)[:19] + "Z"
        return Answer(found)

    # -- API keys

    async def _keys(self, request: Request) -> Answer:
        part = page(request.query, _DEFAULT_LIMIT)
        show = reveals(request.identity, request.query.boolean("show_secrets", False))
        found = await self._access.keys(request.identity, request.query.text("user"))
        end = None if part.limit is None else part.offset + part.limit
        return Answer([_key_document(key, show) for key in found[part.offset : end]], headers=part.headers(len(found)))

    async def _key(self, request: Request) -> Answer:
        show = reveals(request.identity, request.query.boolean("show_secrets", False))
        return Answer(_key_document(await self._access.key(request.identity, request.path["key"]), show))

    async def _make_key(self, request: Request) -> Answer:
        key, shown = await self._access.make_key(request.identity, _key_body(await request.document()))
        document = _key_document(key, True)
        if shown is not None:
            del document["key_hash"]
            document["key"] = shown
        return Answer(document, 201, {"Cache-Control": "no-store"})

    async def _change_key(self, request: Request) -> Answer:
        body = _key_body(await request.document())
        key = await self._access.change_key(request.identity, request.path["key"], body)
        return Answer(_key_document(key, True))

    async def _remove_key(self, request: Request) -> Answer:
        await self._access.remove_key(request.identity, request.path["key"])
        return Answer(status=204)


def _basic(request: Request) -> tuple[str, str]:
    """User and password of HTTP Basic. Raises `UnauthorizedError`."""
    scheme, _, text = (request.header("authorization") or "").partition(" ")
    try:
        user, mark, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        mark = ""
    if scheme.lower() != "basic" or not mark or not user:
        raise UnauthorizedError("Invalid or missing credentials")
    return user, password


def _token_document(token: Token, shown: str) -> dict[str, Any]:
    return {
        "user": token.user,
        "token": shown,
        "expiry": to_iso(token.expires),
        "metadata": {},
        "service": token.service,
        "id": token.id,
    }


def _key_document(key: ApiKey, show: bool) -> dict[str, Any]:
    return {
        "uid": key.uid if show else MASK,
        "user": key.user,
        "key_hash": key.hash if show else MASK,
        "metadata": key.metadata,
        "created_at": to_iso(key.created),
        "enabled": key.enabled,
        "id": key.id,
    }


def _key_body(document: dict[str, Any]) -> dict[str, Any]:
    """A body with API key fields of the right types. Raises `InvalidError`."""
    for name in document:
        if name not in _KEY_FIELDS:
            raise InvalidError(f"Additional properties are not allowed ({name!r} was unexpected)")
    for name in ("user", "key_hash"):
        if field(document, name, str, "string") == "":
            raise InvalidError(f"{name}: must not be empty")
    field(document, "metadata", dict, "object")
    if not isinstance(document.get("enabled", True), bool):
        raise InvalidError(f"{document['enabled']!r} is not of type 'boolean' (enabled)")
    return document


_LOGIN_ERRORS = (400, 401, 413, 415)
_SSO_ERRORS = (404, 500, 503)

ROUTES = (
    Route(
        "POST", "/tokens", AuthRoutes._login, "Log in", "Token", (), "Login", 201,
        errors=_LOGIN_ERRORS, area="auth", permission=OPEN,
    ),
    Route("DELETE", "/tokens", AuthRoutes._logout, "Log out", status=204, errors=READ, area="auth"),
    Route(
        "POST", "/tokens/validate", AuthRoutes._validate, "Is this token valid?", "Valid", (), "TokenText",
        area="auth",
    ),
    Route(
        "GET", "/sso", AuthRoutes._sso, "Whether there is single sign-on", "Enabled",
        errors=OPEN_ERRORS, area="auth", permission=OPEN,
    ),
    Route(
        "GET", "/sso/request", AuthRoutes._sso_request, "Log in by single sign-on", "Enabled",
        errors=_SSO_ERRORS, area="auth", permission=OPEN,
    ),
    Route("GET", "/user", AuthRoutes._user, "Who asks", "User"),
    *noun("/apikeys", "API key", "ApiKey", "key", ("show_secrets", "user"), AuthRoutes._keys, AuthRoutes._key),
    Route("POST", "/apikeys", AuthRoutes._make_key, "Make an API key", "ApiKey", (), "ApiKeyBody", 201),
    Route("PUT", "/apikeys/{key}", AuthRoutes._change_key, "Change an API key", "ApiKey", (), "ApiKeyBody"),
    Route("DELETE", "/apikeys/{key}", AuthRoutes._remove_key, "Remove an API key", status=204),
)  # fmt: skip
