"""Actions and runner types over HTTP."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from squall.api.application import Route
from squall.api.pages import attributes, page
from squall.api.wire import Answer, Request
from squall.core.action import Action, RunnerType, document
from squall.core.document import select
from squall.core.errors import InvalidError
from squall.services.content import Content

_ACTION_FIELDS = frozenset(item.name for item in msgspec.structs.fields(Action))
_RUNNER_FIELDS = frozenset(item.name for item in msgspec.structs.fields(RunnerType))
_HEX = re.compile(r"^[0-9a-fA-F]{24}$")


def _ids(request: Request) -> list[str] | None:
    ids = request.query.listed("id")
    for item in ids or ():
        if not _HEX.match(item):
            raise InvalidError(
                f"{item!r} is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string"
            )
    return ids


def _sorted(items: list[dict[str, Any]], order: str | None) -> list[dict[str, Any]]:
    """By the names in `sort` (`-name` descends), of those the documents have; others are skipped."""
    for name in reversed((order or "").split(",")):
        key = name.lstrip("+-")
        if key in ("name", "ref", "pack", "id"):
            items.sort(key=lambda item: str(item.get(key, "")), reverse=name.startswith("-"))
    return items


class ActionRoutes:
    """`/actions` and `/runnertypes`."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def routes(self) -> list[Route]:
        """What it answers."""
        return [
            Route("GET", "/actions", self._list_actions),
            Route("GET", "/actions/{ref}", self._get_action),
            Route("GET", "/runnertypes", self._list_runners),
            Route("GET", "/runnertypes/{name}", self._get_runner),
        ]

    async def _list_actions(self, request: Request) -> Answer:
        query = request.query
        asked = attributes(query, _ACTION_FIELDS)
        ids, pack, name, tag = _ids(request), query.text("pack"), query.text("name"), query.text("tags")
        items = [
            document(action)
            for action in await self._content.actions()
            if (ids is None or action.id in ids)
            and (pack is None or action.pack == pack)
            and (name is None or action.name == name)
            and (tag is None or any(item.get("name") == tag for item in action.tags))
        ]
        return self._page(request, items, None, asked.include, asked.exclude)

    async def _get_action(self, request: Request) -> Answer:
        return Answer(document(await self._content.action(request.path["ref"])))

    async def _list_runners(self, request: Request) -> Answer:
        asked = attributes(request.query, _RUNNER_FIELDS)
        names, ids = request.query.listed("name"), _ids(request)
        items = [
            document(runner)
            for runner in await self._content.runners()
            if (names is None or runner.name in names) and (ids is None or runner.id in ids)
        ]
        return self._page(request, items, 100, asked.include, asked.exclude)

    async def _get_runner(self, request: Request) -> Answer:
        return Answer(document(await self._content.runner(request.path["name"])))

    @staticmethod
    def _page(
        request: Request,
        items: list[dict[str, Any]],
        default: int | None,
        include: Any,
        exclude: Any,
    ) -> Answer:
        part = page(request.query, default)
        items = _sorted(items, request.query.text("sort"))
        end = None if part.limit is None else part.offset + part.limit
        shown = [select(item, include, exclude) for item in items[part.offset : end]]
        return Answer(shown, headers=part.headers(len(items)))
