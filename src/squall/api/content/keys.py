"""The datastore over HTTP: `/keys`, with StackStorm's scopes, documents and texts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from squall.api.http.pages import attributes, page, sort_keys
from squall.api.http.routes import PAGE, SELECT, Route, bound
from squall.api.http.wire import Answer, Request, field
from squall.core.access.access import Identity, reveals
from squall.core.content.keyvalue import ALL, FIELDS, SYSTEM, USER, Key, KeyFilter, document, full_scope
from squall.core.errors import ForbiddenError, InvalidError
from squall.core.execution.document import select
from squall.services.content.keys import Keys, NewValue
from squall.services.execution.binding import MASKED_MOST

Mask = Callable[[str, Sequence[bytes]], Awaitable[None]]

_DEFAULT_LIMIT = 100
_ALWAYS = ("id", "uid", "scope", "name", "value", "secret", "encrypted")
"""What every key of a list has, whichever attributes are asked for, as recorded of StackStorm."""
_NOT_HIS = '"user" attribute can only be provided by admins when RBAC is enabled'


class KeyRoutes:
    """`/keys`. `mask` has values masked in the output of an execution from now on, and is through when they are."""

    def __init__(self, keys: Keys, mask: Mask) -> None:
        self._keys = keys
        self._mask = mask

    def routes(self) -> list[Route]:
        """The rows of the table, bound to this instance."""
        return bound(ROUTES, self)

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
        # Keys of a list have one scope, and no two of them have the same name or id: the first of these decides.
        sort, descending = next(iter(sort_keys(query, ("id", "name", "prefix"))), ("id", False))
        ids = query.listed("id")
        where = KeyFilter(
            scope="",
            user="",
            now=0,
            prefix=query.text("prefix"),
            name=query.text("name"),
            ids=tuple(ids) if ids is not None else None,
            by_name=sort != "id",
            descending=descending,
        )
        decrypt = query.boolean("decrypt", False)
        shown: list[dict[str, Any]] = []
        for scope in scopes:
            found = await self._keys.find(scope, user, where, part.limit, part.offset)
            documents = await self._shown(request.identity, found, decrypt)
            shown += [select(each, asked.include, asked.exclude, _ALWAYS) for each in documents]
        return Answer(shown)

    async def _get(self, request: Request) -> Answer:
        scope, user = self._scope(request)
        key = await self._keys.get(scope, user, request.path["name"])
        (shown,) = await self._shown(request.identity, [key], request.query.boolean("decrypt", False))
        return Answer(shown)

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

    async def _shown(self, identity: Identity, keys: Sequence[Key], decrypt: bool) -> list[dict[str, Any]]:
        """Their documents. What an action learns is masked in its output before it can print it."""
        opened = {
            key.id: self._keys.reveal(key)
            for key in keys
            if decrypt and key.secret and (key.scope == USER or reveals(identity, decrypt))
        }
        if opened and identity.execution:
            values = [value.encode() for value in opened.values()]
            await self._mask(identity.execution, [value for value in values if len(value) <= MASKED_MOST])
        return [document(key, opened.get(key.id)) for key in keys]


ROUTES = (
    Route(
        "GET", "/keys", KeyRoutes._list, "List keys of the datastore", "Key",
        ("id", "name", "prefix", "scope", "user", "decrypt", "sort", *SELECT, *PAGE), listed=True,
    ),
    Route("GET", "/keys/{name*}", KeyRoutes._get, "Show one key", "Key", ("scope", "user", "decrypt")),
    Route("PUT", "/keys/{name*}", KeyRoutes._put, "Write a key", "Key", (), "KeyBody"),
    Route("DELETE", "/keys/{name*}", KeyRoutes._delete, "Remove a key", None, ("scope", "user"), status=204),
)  # fmt: skip
