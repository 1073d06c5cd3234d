"""Trigger types and triggers over HTTP: `/triggertypes` and `/triggers`, with StackStorm's documents."""

from __future__ import annotations

from squall.api.http.pages import attributes, page
from squall.api.http.routes import SELECT, Route, admin, bound, noun
from squall.api.http.wire import Answer, Request
from squall.core.event.rules.records import TriggerType, document
from squall.core.execution.document import ALWAYS_IN_PACKS, select
from squall.services.event.triggers.trigger_types import TriggerTypes
from squall.services.event.triggers.triggers import Triggers

_DEFAULT_LIMIT = 100
_TYPE_FIELDS = frozenset(TriggerType.__struct_fields__)


class TriggerRoutes:
    """`/triggertypes` and `/triggers`."""

    def __init__(self, types: TriggerTypes, triggers: Triggers) -> None:
        self._types = types
        self._triggers = triggers

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list_types(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _TYPE_FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        names, ids = query.listed("name"), query.listed("id")
        types = [
            each
            for each in await self._types.find(query.text("pack"))
            if (names is None or each.name in names) and (ids is None or each.id in ids)
        ]
        end = None if part.limit is None else part.offset + part.limit
        documents = [
            select(document(each), selection.include, selection.exclude, ALWAYS_IN_PACKS)
            for each in types[part.offset : end]
        ]
        return Answer(documents, headers=part.headers(len(types)))

    async def _get_type(self, request: Request) -> Answer:
        return Answer(document(await self._types.get(request.path["ref"])))

    async def _create_type(self, request: Request) -> Answer:
        return Answer(document(await self._types.create(await request.document())), 201)

    async def _update_type(self, request: Request) -> Answer:
        return Answer(document(await self._types.update(request.path["ref"], await request.document())))

    async def _delete_type(self, request: Request) -> Answer:
        await self._types.delete(request.path["ref"])
        return Answer(status=204)

    async def _list(self, request: Request) -> Answer:
        return Answer([document(each) for each in await self._triggers.find(request.query.text("type"))])

    async def _get(self, request: Request) -> Answer:
        return Answer(document(await self._triggers.get(request.path["id"])))

    async def _create(self, request: Request) -> Answer:
        return Answer(document(await self._triggers.put(await request.document())), 201)

    async def _update(self, request: Request) -> Answer:
        return Answer(document(await self._triggers.put(await request.document(), request.path["id"])))

    async def _delete(self, request: Request) -> Answer:
        await self._triggers.delete(request.path["id"])
        return Answer(status=204)


_MAKING, _CHANGING, _REMOVING = admin("making triggers"), admin("changing triggers"), admin("removing triggers")

ROUTES = (
    *noun(
        "/triggertypes", "trigger type", "TriggerType", "ref", ("id", "name", "pack", *SELECT),
        TriggerRoutes._list_types, TriggerRoutes._get_type,
    ),
    Route(
        "POST", "/triggertypes", TriggerRoutes._create_type, "Make a trigger type", "TriggerType", (),
        "TriggerTypeBody", 201, permission=_MAKING,
    ),
    Route(
        "PUT", "/triggertypes/{ref}", TriggerRoutes._update_type, "Change a trigger type", "TriggerType", (),
        "TriggerTypeBody", permission=_CHANGING,
    ),
    Route(
        "DELETE", "/triggertypes/{ref}", TriggerRoutes._delete_type, "Remove a trigger type", status=204,
        permission=_REMOVING,
    ),
    Route("GET", "/triggers", TriggerRoutes._list, "List triggers", "Trigger", ("type",), listed=True),
    Route("GET", "/triggers/{id}", TriggerRoutes._get, "Show one trigger", "Trigger"),
    Route(
        "POST", "/triggers", TriggerRoutes._create, "Make a trigger", "Trigger", (), "TriggerBody", 201,
        permission=_MAKING,
    ),
    Route(
        "PUT", "/triggers/{id}", TriggerRoutes._update, "Change a trigger", "Trigger", (), "TriggerBody",
        permission=_CHANGING,
    ),
    Route("DELETE", "/triggers/{id}", TriggerRoutes._delete, "Remove a trigger", status=204, permission=_REMOVING),
)  # fmt: skip
