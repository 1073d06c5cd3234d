"""Tokens, API keys and the user of a request, over HTTP."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from squall.api.connection.limits import counted_as
from squall.api.http.bodies import while_connected
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

    Each answer with a token has `api_url` in a header, because StackStorm's clients may use it.
    """

    def __init__(self, access: Access, api_url: str) -> None:
        self._access = access
        self._api_url = api_url

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
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
        requested_user = field(document, "user", str, "string")
        client = request.scope.get("client")
        address = counted_as(client[0]) if client else ""
        token, token_text = await while_connected(request, self._access.login(user, password, address, ttl))
        if requested_user and requested_user != user:
            await self._access.revoke(token.hash)
            raise InvalidError("Current user is not a service and cannot request impersonated tokens")
        holder = Identity(user=token.user, expires=token.expires)
        headers = {
            "X-API-URL": self._api_url,
            "Set-Cookie": cookie(request, token_text, holder, self._access.now()),
            "Cache-Control": "no-store",
        }
        return Answer(_token_document(token, token_text), 201, headers)

    async def _logout(self, request: Request) -> Answer:
        if request.identity.method == TOKEN:
            await self._access.revoke(request.identity.credential)
        return Answer(status=204, headers={"Set-Cookie": cookie(request, "", request.identity, 0)})

    async def _validate(self, request: Request) -> Answer:
        token_text = field(await request.document(), "token", str, "string")
        if not token_text:
            raise InvalidError("Token is not provided.")
        return Answer({"valid": await self._access.is_valid(token_text)})

    async def _sso(self, request: Request) -> Answer:
        return Answer({"enabled": False})

    async def _sso_request(self, request: Request) -> Answer:
        return failure(500, _NO_SSO)

    async def _user(self, request: Request) -> Answer:
        identity = request.identity
        user: dict[str, Any] = {
            "username": identity.user,
            "authentication": {"method": identity.method or "none", "location": identity.location or "none"},
            "rbac": {"enabled": False, "roles": [], "is_admin": identity.admin},
        }
        if identity.expires is not None:
            # Without a fraction of a second, as recorded.
            user["authentication"]["token_expire"] = to_iso(identity.expires // 1_000_000 * 1_000_000)[:19] + "Z"
        return Answer(user)

    # -- API keys

    async def _keys(self, request: Request) -> Answer:
        part = page(request.query, _DEFAULT_LIMIT)
        show_secrets = reveals(request.identity, request.query.boolean("show_secrets", False))
        keys = await self._access.api_keys.find(request.identity, request.query.text("user"))
        end = None if part.limit is None else part.offset + part.limit
        documents = [_key_document(key, show_secrets) for key in keys[part.offset : end]]
        return Answer(documents, headers=part.headers(len(keys)))

    async def _key(self, request: Request) -> Answer:
        show_secrets = reveals(request.identity, request.query.boolean("show_secrets", False))
        return Answer(
            _key_document(await self._access.api_keys.get(request.identity, request.path["key"]), show_secrets)
        )

    async def _make_key(self, request: Request) -> Answer:
        key, key_text = await self._access.api_keys.make(request.identity, _key_body(await request.document()))
        document = _key_document(key, True)
        if key_text is not None:
            del document["key_hash"]
            document["key"] = key_text
        return Answer(document, 201, {"Cache-Control": "no-store"})

    async def _change_key(self, request: Request) -> Answer:
        body = _key_body(await request.document())
        key = await self._access.api_keys.change(request.identity, request.path["key"], body)
        return Answer(_key_document(key, True))

    async def _remove_key(self, request: Request) -> Answer:
        await self._access.api_keys.remove(request.identity, request.path["key"])
        return Answer(status=204)


def _basic(request: Request) -> tuple[str, str]:
    """Returns user and password of HTTP Basic. Raises `UnauthorizedError`."""
    scheme, _, text = (request.header("authorization") or "").partition(" ")
    try:
        user, mark, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        mark = ""
    if scheme.lower() != "basic" or not mark or not user:
        raise UnauthorizedError("Invalid or missing credentials")
    return user, password


def _token_document(token: Token, text: str) -> dict[str, Any]:
    return {
        "user": token.user,
        "token": text,
        "expiry": to_iso(token.expires),
        "metadata": {},
        "service": token.service,
        "id": token.id,
    }


def _key_document(key: ApiKey, show_secrets: bool) -> dict[str, Any]:
    return {
        "uid": key.uid if show_secrets else MASK,
        "user": key.user,
        "key_hash": key.hash if show_secrets else MASK,
        "metadata": key.metadata,
        "created_at": to_iso(key.created),
        "enabled": key.enabled,
        "id": key.id,
    }


def _key_body(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the body of an API key after it has checked the fields and their types. Raises `InvalidError`."""
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


_LOGIN_ERRORS = (400, 401, 413, 415, 429)
_SSO_ERRORS = (404, 500, 503)

ROUTES = (
    Route(
        "POST", "/tokens", AuthRoutes._login, "Log in", "Token", (), "Login", 201,
        errors=_LOGIN_ERRORS, area="auth", permission=OPEN,
    ),
    Route("DELETE", "/tokens", AuthRoutes._logout, "Log out", status=204, errors=READ, area="auth"),
    Route(
        "POST", "/tokens/validate", AuthRoutes._validate, "Check a token", "Valid", (), "TokenText",
        area="auth",
    ),
    Route(
        "GET", "/sso", AuthRoutes._sso, "Show if single sign-on is on", "Enabled",
        errors=OPEN_ERRORS, area="auth", permission=OPEN,
    ),
    Route(
        "GET", "/sso/request", AuthRoutes._sso_request, "Log in by single sign-on", "Enabled",
        errors=_SSO_ERRORS, area="auth", permission=OPEN,
    ),
    Route("GET", "/user", AuthRoutes._user, "Show the user of this request", "User"),
    *noun("/apikeys", "API key", "ApiKey", "key", ("show_secrets", "user"), AuthRoutes._keys, AuthRoutes._key),
    Route("POST", "/apikeys", AuthRoutes._make_key, "Make an API key", "ApiKey", (), "ApiKeyBody", 201),
    Route("PUT", "/apikeys/{key}", AuthRoutes._change_key, "Change an API key", "ApiKey", (), "ApiKeyBody"),
    Route("DELETE", "/apikeys/{key}", AuthRoutes._remove_key, "Remove an API key", status=204),
)  # fmt: skip
