"""Trigger instances over HTTP: `/triggerinstances`, with StackStorm's documents."""

from __future__ import annotations

from squall.api.http.pages import attributes, page, sort_keys
from squall.api.http.routes import PAGE, SELECT, Route, bound
from squall.api.http.wire import Answer, Query, Request
from squall.core.event.rules.records import InstanceFilter, document
from squall.core.execution.document import select
from squall.core.timestamp import from_iso
from squall.services.event.triggers.instances import COUNT_CAP, Instances

_DEFAULT_LIMIT = 100
_FIELDS = frozenset({"id", "trigger", "occurrence_time", "status", "payload", "failure_reason"})


class InstanceRoutes:
    """`/triggerinstances`."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        instances, total = await self._instances.find(_filter(query), part.limit, part.offset)
        documents = [select(document(each), selection.include, selection.exclude, ("id",)) for each in instances]
        return Answer(documents, headers=part.headers(total, COUNT_CAP))

    async def _get(self, request: Request) -> Answer:
        return Answer(document(await self._instances.get(request.path["id"])))

    async def _re_emit(self, request: Request) -> Answer:
        original = request.path["id"]
        instance, payload = await self._instances.re_emit(original, request.identity.execution)
        message = f"Trigger instance {original} succesfully re-sent."
        return Answer({"message": message, "payload": payload, "id": instance.id})

    async def _retry(self, request: Request) -> Answer:
        return Answer(document(await self._instances.retry(request.path["id"], request.identity.execution)))


def _filter(query: Query) -> InstanceFilter:
    ids, triggers = query.listed("id"), query.listed("trigger")
    after, before = query.text("timestamp_gt"), query.text("timestamp_lt")
    oldest_first = any(name == "occurrence_time" and not down for name, down in sort_keys(query, ("occurrence_time",)))
    return InstanceFilter(
        ids=tuple(ids) if ids is not None else None,
        triggers=tuple(triggers) if triggers is not None else None,
        type=query.text("trigger_type"),
        status=query.text("status"),
        after=from_iso(after, "timestamp_gt") if after else None,
        before=from_iso(before, "timestamp_lt") if before else None,
        newest_first=not oldest_first,
        whole=False,
    )


ROUTES = (
    Route(
        "GET", "/triggerinstances", InstanceRoutes._list, "List trigger instances", "TriggerInstance",
        ("id", "trigger", "trigger_type", "status", "timestamp_gt", "timestamp_lt", "sort", *SELECT, *PAGE),
        listed=True,
    ),
    Route("GET", "/triggerinstances/{id}", InstanceRoutes._get, "Show one trigger instance", "TriggerInstance"),
    Route(
        "POST", "/triggerinstances/{id}/re_emit", InstanceRoutes._re_emit, "Dispatch the event of an instance again",
        "Anything",
    ),
    Route(
        "POST", "/triggerinstances/{id}/retry", InstanceRoutes._retry, "Evaluate a failed instance again",
        "TriggerInstance",
    ),
)  # fmt: skip
