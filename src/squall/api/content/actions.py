"""Actions and runner types over HTTP."""

from __future__ import annotations

import contextlib
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from squall.api.http.pages import Attributes, attributes, ordered, page
from squall.api.http.routes import PAGE, SELECT, Route, admin, bound, noun
from squall.api.http.wire import FILE_DEFENCES, Answer, Request, field
from squall.core.content.action import Action, RunnerType, merged_parameters
from squall.core.content.shown import action_document, runner_document, shown_parameters
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution.document import ALWAYS_IN_PACKS, select
from squall.services.content.action_editing import ActionEditing
from squall.services.content.content import Content

_ACTION_FIELDS = frozenset(item.name for item in msgspec.structs.fields(Action))
_RUNNER_FIELDS = frozenset(item.name for item in msgspec.structs.fields(RunnerType))
_SORTED = ("id", "name", "ref", "pack")
_FILE_TYPES = {".py": "text/x-python", ".yaml": "application/x-yaml", ".yml": "application/x-yaml"}
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
Builder = Callable[[Record, Mapping[str, RunnerType]], dict[str, Any]]
"""A function that builds the document of a record; the runner types are by name."""


def _document(record: Record, runners: Mapping[str, RunnerType]) -> dict[str, Any]:
    if isinstance(record, RunnerType):
        return runner_document(record)
    return action_document(record, runners.get(record.runner_type))


def _overview(record: Record, runners: Mapping[str, RunnerType]) -> dict[str, Any]:
    """Returns the document of an action; its parameters include those of its runner."""
    document = _document(record, runners)
    if isinstance(record, Action) and (runner := runners.get(record.runner_type)) is not None:
        # An action that no longer fits its runner must not break the whole list: its document has its own parameters.
        with contextlib.suppress(InvalidError):
            document["parameters"] = shown_parameters(merged_parameters(record, runner))
    return document


class ActionRoutes:
    """`/actions` and `/runnertypes`."""

    def __init__(self, content: Content, editing: ActionEditing) -> None:
        self._content = content
        self._editing = editing

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list_actions(self, request: Request) -> Answer:
        return await self._list(request, _document)

    async def _list(self, request: Request, build: Builder) -> Answer:
        query = request.query
        selection = attributes(query, _ACTION_FIELDS)
        ids, pack, name, tag = _ids(request), query.text("pack"), query.text("name"), query.text("tags")
        if ids is None and name is None and tag is None and not query.text("sort"):
            # The store selects the page, because there may be ten thousand actions.
            part = page(query, None)
            actions, count = await self._content.page(pack, part.limit, part.offset)
            runners = await self._runners()
            documents = [
                select(build(action, runners), selection.include, selection.exclude, ALWAYS_IN_PACKS)
                for action in actions
            ]
            return Answer(documents, headers=part.headers(count))
        items: list[Record] = [
            action
            for action in await self._content.actions(pack)
            if (ids is None or action.id in ids)
            and (name is None or action.name == name)
            and (tag is None or any(item.get("name") == tag for item in action.tags))
        ]
        runners = await self._runners()
        return _page(request, items, None, selection, lambda item: build(item, runners), ALWAYS_IN_PACKS)

    async def _get_action(self, request: Request) -> Answer:
        return Answer(await self._action_document(await self._content.action(request.path["ref"])))

    async def _create(self, request: Request) -> Answer:
        action = await self._editing.create(await request.document(), request.identity.execution)
        return Answer(await self._action_document(action), 201)

    async def _update(self, request: Request) -> Answer:
        body, execution = await request.document(), request.identity.execution
        return Answer(await self._action_document(await self._editing.update(request.path["ref"], body, execution)))

    async def _delete(self, request: Request) -> Answer:
        remove_files = field(await request.document(), "remove_files", bool, "boolean", False)
        await self._editing.delete(request.path["ref"], remove_files)
        return Answer(status=204)

    async def _clone(self, request: Request) -> Answer:
        body = await request.document()
        target = {}
        for name in ("dest_pack", "dest_action"):
            target[name] = field(body, name, str, "string")
            if not target[name]:
                raise InvalidError(f"{name!r} is a required property")
        overwrite = field(body, "overwrite", bool, "boolean", False)
        clone = await self._editing.clone(request.path["ref"], target["dest_pack"], target["dest_action"], overwrite)
        return Answer(await self._action_document(clone), 201)

    async def _list_runners(self, request: Request) -> Answer:
        selection = attributes(request.query, _RUNNER_FIELDS)
        names, ids = request.query.listed("name"), _ids(request)
        items: list[Record] = [
            runner
            for runner in await self._content.runners()
            if (names is None or runner.name in names) and (ids is None or runner.id in ids)
        ]
        return _page(request, items, 100, selection, lambda item: _document(item, {}), ("id",))

    async def _get_runner(self, request: Request) -> Answer:
        return Answer(runner_document(await self._content.runner(request.path["name"])))

    async def _switch_runner(self, request: Request) -> Answer:
        """Enables or disables a runner. StackStorm's clients send a whole document; only its `enabled` is used."""
        enabled = field(await request.document(), "enabled", bool, "boolean")
        if enabled is None:
            raise InvalidError("'enabled' is a required property")
        return Answer(runner_document(await self._content.switch_runner(request.path["name"], enabled)))

    # -- views

    async def _list_overviews(self, request: Request) -> Answer:
        return await self._list(request, _overview)

    async def _get_overview(self, request: Request) -> Answer:
        return Answer(_overview(await self._content.action(request.path["ref"]), await self._runners()))

    async def _get_parameters(self, request: Request) -> Answer:
        overview = _overview(await self._content.action(request.path["ref"]), await self._runners())
        return Answer({"parameters": overview["parameters"]})

    async def _get_entry_point(self, request: Request) -> Answer:
        """Returns the file that an action runs. Its headers keep a browser from running it as a page of this server."""
        action = await self._content.action(request.path["ref"])
        if not action.entry_point:
            raise NotFoundError(f"Action ref_or_id={request.path['ref']} has no entry_point to output")
        pack = await self._content.pack(action.pack)
        text = await self._content.pack_file(pack, f"actions/{action.entry_point}")
        suffix = PurePosixPath(action.entry_point).suffix
        kind = _FILE_TYPES.get(suffix) or mimetypes.guess_type(action.entry_point)[0] or "text/plain"
        return Answer(raw=text, content_type=kind, headers=FILE_DEFENCES)

    async def _runners(self) -> dict[str, RunnerType]:
        return {runner.name: runner for runner in await self._content.runners()}

    async def _action_document(self, action: Action) -> dict[str, Any]:
        return _document(action, await self._runners())


def _page(
    request: Request,
    items: list[Record],
    default: int | None,
    selection: Attributes,
    build: Callable[[Record], dict[str, Any]],
    always: Sequence[str],
) -> Answer:
    part = page(request.query, default)
    items = ordered(items, request.query, _SORTED, lambda item, name: str(getattr(item, name, "")))
    end = None if part.limit is None else part.offset + part.limit
    # Documents are built only for the page, because there may be ten thousand items.
    documents = [select(build(item), selection.include, selection.exclude, always) for item in items[part.offset : end]]
    return Answer(documents, headers=part.headers(len(items)))


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
    Route(
        "GET", "/actions/views/overview", ActionRoutes._list_overviews, "List actions with all their parameters",
        "Action", ("id", "pack", "name", "tags", "sort", *SELECT, *PAGE), listed=True,
    ),
    Route(
        "GET", "/actions/views/overview/{ref}", ActionRoutes._get_overview, "Show one action with all its parameters",
        "Action",
    ),
    Route(
        "GET", "/actions/views/parameters/{ref}", ActionRoutes._get_parameters,
        "The parameters of an action and of its runner", "ActionParameters",
    ),
    Route(
        "GET", "/actions/views/entry_point/{ref}", ActionRoutes._get_entry_point, "The file that an action runs",
        types=("*/*",),
    ),
    *noun(
        "/runnertypes", "runner", "RunnerType", "name", ("id", "name", "sort", *SELECT), ActionRoutes._list_runners,
        ActionRoutes._get_runner,
    ),
    Route(
        "PUT", "/runnertypes/{name}", ActionRoutes._switch_runner, "Enable or disable a runner", "RunnerType", (),
        "RunnerSwitch", permission=admin("changing runners"),
    ),
)  # fmt: skip
