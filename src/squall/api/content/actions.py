"""Actions and runner types over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.api.http.pages import attributes, ordered, page
from squall.api.http.routes import SELECT, Route, admin, bound, noun
from squall.api.http.wire import Answer, Request, field
from squall.core.content.action import Action, RunnerType
from squall.core.content.shown import action_document, runner_document
from squall.core.errors import InvalidError
from squall.core.execution.document import select
from squall.services.content.action_editing import ActionEditing
from squall.services.content.content import Content

_ACTION_FIELDS = frozenset(item.name for item in msgspec.structs.fields(Action))
_RUNNER_FIELDS = frozenset(item.name for item in msgspec.structs.fields(RunnerType))
_SORTED = ("id", "name", "ref", "pack")
_HEX = re.compile(r"^[0-9a-fA-F]{24}$")


def _ids(request: Request) -> list[str] | None:
    ids = request.query.listed("id")
    for item in ids or ():
        if not _HEX.match(item):
            raise InvalidError(
                f"{item!r} is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string"
            )
    return ids


Record = Action | RunnerType


def _document(record: Record, runners: Mapping[str, RunnerType]) -> dict[str, Any]:
    if isinstance(record, RunnerType):
        return runner_document(record)
    return action_document(record, runners.get(record.runner_type))


class ActionRoutes:
    """`/actions` and `/runnertypes`."""

    def __init__(self, content: Content, editing: ActionEditing) -> None:
        self._content = content
        self._editing = editing

    def routes(self) -> list[Route]:
        """The rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list_actions(self, request: Request) -> Answer:
        query = request.query
        asked = attributes(query, _ACTION_FIELDS)
        ids, pack, name, tag = _ids(request), query.text("pack"), query.text("name"), query.text("tags")
        if ids is None and name is None and tag is None and not query.text("sort"):
            # The store finds the page: there may be ten thousand actions.
            part = page(query, None)
            found, count = await self._content.page(pack, part.limit, part.offset)
            runners = await self._runners()
            shown = [select(_document(action, runners), asked.include, asked.exclude) for action in found]
            return Answer(shown, headers=part.headers(count))
        items: list[Record] = [
            action
            for action in await self._content.actions(pack)
            if (ids is None or action.id in ids)
            and (name is None or action.name == name)
            and (tag is None or any(item.get("name") == tag for item in action.tags))
        ]
        return self._page(request, items, await self._runners(), None, asked.include, asked.exclude)

    async def _get_action(self, request: Request) -> Answer:
        return Answer(await self._shown(await self._content.action(request.path["ref"])))

    async def _create(self, request: Request) -> Answer:
        return Answer(await self._shown(await self._editing.create(await request.document())), 201)

    async def _update(self, request: Request) -> Answer:
        return Answer(await self._shown(await self._editing.update(request.path["ref"], await request.document())))

    async def _delete(self, request: Request) -> Answer:
        remove = field(await request.document(), "remove_files", bool, "boolean", False)
        await self._editing.delete(request.path["ref"], remove)
        return Answer(status=204)

    async def _clone(self, request: Request) -> Answer:
        body = await request.document()
        named = {}
        for name in ("dest_pack", "dest_action"):
            named[name] = field(body, name, str, "string")
            if not named[name]:
                raise InvalidError(f"{name!r} is a required property")
        overwrite = field(body, "overwrite", bool, "boolean", False)
        made = await self._editing.clone(request.path["ref"], named["dest_pack"], named["dest_action"], overwrite)
        return Answer(await self._shown(made), 201)

    async def _list_runners(self, request: Request) -> Answer:
        asked = attributes(request.query, _RUNNER_FIELDS)
        names, ids = request.query.listed("name"), _ids(request)
        items: list[Record] = [
            runner
            for runner in await self._content.runners()
            if (names is None or runner.name in names) and (ids is None or runner.id in ids)
        ]
        return self._page(request, items, {}, 100, asked.include, asked.exclude)

    async def _get_runner(self, request: Request) -> Answer:
        return Answer(runner_document(await self._content.runner(request.path["name"])))

    async def _runners(self) -> dict[str, RunnerType]:
        return {runner.name: runner for runner in await self._content.runners()}

    async def _shown(self, action: Action) -> dict[str, Any]:
        return _document(action, await self._runners())

    @staticmethod
    def _page(
        request: Request,
        items: list[Record],
        runners: Mapping[str, RunnerType],
        default: int | None,
        include: Any,
        exclude: Any,
    ) -> Answer:
        part = page(request.query, default)
        items = ordered(items, request.query, _SORTED, lambda item, name: str(getattr(item, name, "")))
        end = None if part.limit is None else part.offset + part.limit
        # Only what is shown is made a document: there may be ten thousand.
        shown = [select(_document(item, runners), include, exclude) for item in items[part.offset : end]]
        return Answer(shown, headers=part.headers(len(items)))


_MAKING, _CHANGING, _REMOVING = admin("making actions"), admin("changing actions"), admin("removing actions")

ROUTES = (
    *noun(
        "/actions", "action", "Action", "ref", ("id", "pack", "name", "tags", "sort", *SELECT),
        ActionRoutes._list_actions, ActionRoutes._get_action,
    ),
    Route(
        "POST", "/actions", ActionRoutes._create, "Make an action", "Action", (), "ActionBody", 201,
        permission=_MAKING,
    ),
    Route(
        "PUT", "/actions/{ref}", ActionRoutes._update, "Change an action", "Action", (), "ActionBody",
        permission=_CHANGING,
    ),
    Route(
        "DELETE", "/actions/{ref}", ActionRoutes._delete, "Remove an action", None, (), "RemoveBody", 204,
        permission=_REMOVING,
    ),
    Route(
        "POST", "/actions/{ref}/clone", ActionRoutes._clone, "Copy an action", "Action", (), "CloneBody", 201,
        permission=_MAKING,
    ),
    *noun(
        "/runnertypes", "runner", "RunnerType", "name", ("id", "name", "sort", *SELECT), ActionRoutes._list_runners,
        ActionRoutes._get_runner,
    ),
)  # fmt: skip
