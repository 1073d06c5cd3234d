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
"""The attributes of every key in a list, whatever attributes a request selects, as recorded of StackStorm."""
_FOREIGN_USER = '"user" attribute can only be provided by admins when RBAC is enabled'


class KeyRoutes:
    """`/keys`. `mask` masks values in the output of an execution from now on; it returns when masking is in effect."""

    def __init__(self, keys: Keys, mask: Mask) -> None:
        self._keys = keys
        self._mask = mask

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    def _owner(self, request: Request, requested_user: str | None) -> str:
        """Returns the user whose keys a request names. Raises `ForbiddenError` if that is another user."""
        if requested_user and requested_user != request.identity.user:
            raise ForbiddenError(_FOREIGN_USER)
        return request.identity.user

    def _scope(self, request: Request) -> tuple[str, str]:
        query = request.query
        user = self._owner(request, query.text("user"))
        scope = query.text("scope") or (USER if query.text("user") else None)
        return full_scope(scope), user

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        user = self._owner(request, query.text("user"))
        requested_scope = query.text("scope") or (USER if query.text("user") else None)
        scopes = [SYSTEM, USER] if requested_scope == ALL else [full_scope(requested_scope)]
        # Keys of one scope have distinct names and ids, so the first sort key decides the order.
        sort, descending = next(iter(sort_keys(query, ("id", "name", "prefix"))), ("id", False))
        ids = query.listed("id")
        key_filter = KeyFilter(
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
        documents: list[dict[str, Any]] = []
        for scope in scopes:
            keys = await self._keys.find(scope, user, key_filter, part.limit, part.offset)
            whole = await self._documents(request.identity, keys, decrypt)
            documents += [select(each, selection.include, selection.exclude, _ALWAYS) for each in whole]
        return Answer(documents)

    async def _get(self, request: Request) -> Answer:
        scope, user = self._scope(request)
        key = await self._keys.get(scope, user, request.path["name"])
        (key_document,) = await self._documents(request.identity, [key], request.query.boolean("decrypt", False))
        return Answer(key_document)

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
        return Answer(
            document(await self._keys.put(scope, user, request.path["name"], new, request.identity.execution))
        )

    async def _delete(self, request: Request) -> Answer:
        scope, user = self._scope(request)
        await self._keys.delete(scope, user, request.path["name"], request.identity.execution)
        return Answer(status=204)

    async def _documents(self, identity: Identity, keys: Sequence[Key], decrypt: bool) -> list[dict[str, Any]]:
        """Returns the documents of keys. If an action reads secret values, they are masked in its output before it
        gets them."""
        secrets = {
            key.id: self._keys.reveal(key)
            for key in keys
            if decrypt and key.secret and (key.scope == USER or reveals(identity, decrypt))
        }
        if secrets and identity.execution:
            values = [value.encode() for value in secrets.values()]
            await self._mask(identity.execution, [value for value in values if len(value) <= MASKED_MOST])
        return [document(key, secrets.get(key.id)) for key in keys]


ROUTES = (
    Route(
        "GET", "/keys", KeyRoutes._list, "List keys of the datastore", "Key",
        ("id", "name", "prefix", "scope", "user", "decrypt", "sort", *SELECT, *PAGE), listed=True,
    ),
    Route("GET", "/keys/{name*}", KeyRoutes._get, "Show one key", "Key", ("scope", "user", "decrypt")),
    Route("PUT", "/keys/{name*}", KeyRoutes._put, "Write a key", "Key", (), "KeyBody"),
    Route("DELETE", "/keys/{name*}", KeyRoutes._delete, "Remove a key", None, ("scope", "user"), status=204),
)  # fmt: skip
