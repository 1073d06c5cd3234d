"""Enforcements over HTTP: `/ruleenforcements`, with StackStorm's documents."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from squall.api.execution.views import Views
from squall.api.http.pages import Attributes, attributes, page, sort_keys
from squall.api.http.routes import PAGE, SELECT, Route, bound
from squall.api.http.wire import Answer, Query, Request
from squall.core.errors import NotFoundError
from squall.core.event.rules.records import Enforcement, EnforcementFilter, document
from squall.core.execution.document import select
from squall.core.timestamp import from_iso
from squall.services.event.triggers.instances import COUNT_CAP, Instances
from squall.services.execution.executions import Executions

_DEFAULT_LIMIT = 50
_OF_VIEWS = frozenset({"trigger_instance", "execution"})
_EXECUTION = Attributes(
    (
        "action.ref", "action.parameters", "runner.name", "runner.runner_parameters", "parameters", "status",
        "start_timestamp",
    ),
    None,
)  # fmt: skip
"""The attributes of the execution in a view of an enforcement, as recorded."""
_FIELDS = frozenset(
    {"id", "trigger_instance_id", "execution_id", "failure_reason", "rule", "enforced_at", "status", "explanation"}
)


class EnforcementRoutes:
    """`/ruleenforcements`."""

    def __init__(self, instances: Instances, executions: Executions, views: Views) -> None:
        self._instances = instances
        self._executions = executions
        self._views = views

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        enforcements, total = await self._instances.enforcements(_filter(query), part.limit, part.offset)
        documents = [select(document(each), selection.include, selection.exclude, ("id",)) for each in enforcements]
        return Answer(documents, headers=part.headers(total, COUNT_CAP))

    async def _get(self, request: Request) -> Answer:
        enforcement = await self._instances.enforcement(request.path["id"])
        return Answer({**document(enforcement), **await self._explanation(enforcement)})

    async def _list_views(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, _FIELDS | _OF_VIEWS)
        part = page(query, _DEFAULT_LIMIT)
        enforcements, total = await self._instances.enforcements(_filter(query), part.limit, part.offset)
        documents = [
            select(await self._with_parts(each), selection.include, selection.exclude, ("id",)) for each in enforcements
        ]
        return Answer(documents, headers=part.headers(total, COUNT_CAP))

    async def _view(self, request: Request) -> Answer:
        enforcement = await self._instances.enforcement(request.path["id"])
        return Answer({**await self._with_parts(enforcement), **await self._explanation(enforcement)})

    async def _explanation(self, enforcement: Enforcement) -> dict[str, Any]:
        explanation = await self._instances.explanation(enforcement.id)
        return {"explanation": msgspec.json.decode(explanation)} if explanation else {}

    async def _with_parts(self, enforcement: Enforcement) -> dict[str, Any]:
        """Returns the document of an enforcement with its trigger instance and its execution, if they still exist."""
        shown = document(enforcement)
        with suppress(NotFoundError):
            shown["trigger_instance"] = document(await self._instances.get(enforcement.trigger_instance_id))
        if enforcement.execution_id is not None:
            with suppress(NotFoundError):
                execution = await self._executions.get(enforcement.execution_id, False)
                part = await self._views.execution(execution, selection=_EXECUTION)
                part["action"] = {key: part["action"][key] for key in ("ref", "parameters") if key in part["action"]}
                shown["execution"] = part
        return shown


def _filter(query: Query) -> EnforcementFilter:
    ids, instance = query.listed("id"), query.text("trigger_instance")
    after, before = query.text("enforced_at_gt"), query.text("enforced_at_lt")
    oldest_first = any(name == "enforced_at" and not down for name, down in sort_keys(query, ("enforced_at",)))
    return EnforcementFilter(
        ids=tuple(ids) if ids is not None else None,
        rule=query.text("rule_ref"),
        rule_id=query.text("rule_id"),
        instances=(instance,) if instance else None,
        execution=query.text("execution"),
        after=from_iso(after, "enforced_at_gt") if after else None,
        before=from_iso(before, "enforced_at_lt") if before else None,
        newest_first=not oldest_first,
    )


_QUERY = (
    "id", "rule_ref", "rule_id", "trigger_instance", "execution", "enforced_at_gt", "enforced_at_lt", "sort", *SELECT,
    *PAGE,
)  # fmt: skip

ROUTES = (
    Route(
        "GET", "/ruleenforcements", EnforcementRoutes._list, "List enforcements of rules", "RuleEnforcement",
        _QUERY, listed=True,
    ),
    Route(
        "GET", "/ruleenforcements/views", EnforcementRoutes._list_views,
        "List enforcements of rules with their trigger instances and executions", "RuleEnforcement", _QUERY,
        listed=True,
    ),
    Route(
        "GET", "/ruleenforcements/views/{id}", EnforcementRoutes._view,
        "Show one enforcement with its trigger instance and execution", "RuleEnforcement",
    ),
    Route("GET", "/ruleenforcements/{id}", EnforcementRoutes._get, "Show one enforcement", "RuleEnforcement"),
)  # fmt: skip
