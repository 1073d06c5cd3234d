"""Enforcements over HTTP: `/ruleenforcements`, with StackStorm's documents."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.api.http.pages import attributes, page, sort_keys
from squall.api.http.routes import PAGE, SELECT, Route, bound
from squall.api.http.wire import Answer, Query, Request
from squall.core.event.rules.records import EnforcementFilter, document
from squall.core.execution.document import select
from squall.core.timestamp import from_iso
from squall.services.event.triggers.instances import COUNT_CAP, Instances

_DEFAULT_LIMIT = 50
_FIELDS = frozenset(
    {"id", "trigger_instance_id", "execution_id", "failure_reason", "rule", "enforced_at", "status", "explanation"}
)


class EnforcementRoutes:
    """`/ruleenforcements`."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

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
        explanation = await self._instances.explanation(enforcement.id)
        added: dict[str, Any] = {"explanation": msgspec.json.decode(explanation)} if explanation else {}
        return Answer({**document(enforcement), **added})


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


ROUTES = (
    Route(
        "GET", "/ruleenforcements", EnforcementRoutes._list, "List enforcements of rules", "RuleEnforcement",
        (
            "id", "rule_ref", "rule_id", "trigger_instance", "execution", "enforced_at_gt", "enforced_at_lt", "sort",
            *SELECT, *PAGE,
        ),
        listed=True,
    ),
    Route("GET", "/ruleenforcements/{id}", EnforcementRoutes._get, "Show one enforcement", "RuleEnforcement"),
)  # fmt: skip
