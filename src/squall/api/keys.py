"""The datastore over HTTP: `/keys`, with StackStorm's scopes, documents and texts."""

from __future__ import annotations

from typing import Any

from squall.api.application import Route
from squall.api.pages import attributes, page
from squall.api.wire import Answer, Request, field
from squall.core.access import Identity, reveals
from squall.core.document import select
from squall.core.errors import ForbiddenError, InvalidError
from squall.core.keyvalue import ALL, FIELDS, SYSTEM, USER, Key, KeyFilter, document, full_scope
from squall.services.keys import Keys, NewValue

_DEFAULT_LIMIT = 100
_NOT_HIS = '"user" attribute can only be provided by admins when RBAC is enabled'


class KeyRoutes:
    """`/keys`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def routes(self) -> list[Route]:
        """What it answers."""
        return [
            Route("GET", "/keys", self._list),
            Route("GET", "/keys/{name}", self._get),
            Route("PUT", "/keys/{name}", self._put),
            Route("DELETE", "/keys/{name}", self._delete),
        ]

    def _owner(self, request: Request, asked: str | None) -> str:
        """Whose keys are meant. Raises `ForbiddenError` for another user's."""
        if asked and asked != request.identity.user:
            raise ForbiddenError(_NOT_HIS)
        return request.identity.user

    def _scope(self, request: Request) -> tuple[str, str]:
        query = request.query
        user = self._owner(request, query.text("user"))
        scope = query.text("scope") or (USER if query.text("user") else None)
        return full_scope(scope), user

    async def _list(self, request: Request) -> Answer:
        query = request.query
        asked = attributes(query, FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        user = self._owner(request, query.text("user"))
        named = query.text("scope") or (USER if query.text("user") else None)
        scopes = [SYSTEM, USER] if named == ALL else [full_scope(named)]
        sort = query.text("sort") or ""
        ids = query.listed("id")
        where = KeyFilter(
            scope="",
            user="",
            now=0,
            prefix=query.text("prefix"),
            name=query.text("name"),
            ids=tuple(ids) if ids is not None else None,
            by_name=sort.lstrip("+-") == "name",
            descending=sort.startswith("-"),
        )
        decrypt = query.boolean("decrypt", False)
        shown: list[dict[str, Any]] = []
        for scope in scopes:
            found = await self._keys.find(scope, user, where, part.limit, part.offset)
            shown += [
                select(self._shown(request.identity, key, decrypt), asked.include, asked.exclude) for key in found
            ]
        return Answer(shown)

    async def _get(self, request: Request) -> Answer:
        scope, user = self._scope(request)
        key = await self._keys.get(scope, user, request.path["name"])
        return Answer(self._shown(request.identity, key, request.query.boolean("decrypt", False)))

    async def _put(self, request: Request) -> Answer:
        body = await request.document()
        for name in ("name", "value"):
            if name not in body:
                raise InvalidError(f"{name!r} is a required property")
            if not isinstance(body[name], str):
                raise InvalidError(f"{body[name]!r} is not of type 'string'")
        scope = full_scope(field(body, "scope", str, "string"), writing=True)
        owner = field(body, "user", str, "string")
        user = self._owner(request, owner)
        if owner and "scope" not in body:
            scope = USER
        ttl = body.get("ttl")
        if ttl is not None and (not isinstance(ttl, int) or isinstance(ttl, bool)):
            raise InvalidError(f"{ttl!r} is not of type 'integer'")
        new = NewValue(
            value=body["value"],
            secret=field(body, "secret", bool, "boolean", False),
            encrypted=field(body, "encrypted", bool, "boolean", False),
            ttl=ttl,
        )
        return Answer(document(await self._keys.put(scope, user, request.path["name"], new)))

    async def _delete(self, request: Request) -> Answer:
        scope, user = self._scope(request)
        await self._keys.delete(scope, user, request.path["name"])
        return Answer(status=204)

    def _shown(self, identity: Identity, key: Key, decrypt: bool) -> dict[str, Any]:
        own = key.scope == USER
        opened = decrypt and key.secret and (own or reveals(identity, decrypt))
        return document(key, self._keys.reveal(key) if opened else None)
