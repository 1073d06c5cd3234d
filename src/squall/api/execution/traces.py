"""Traces over HTTP."""

from __future__ import annotations

from squall.api.http.pages import attributes, page, sort_keys
from squall.api.http.routes import SELECT, Route, bound, noun
from squall.api.http.wire import Answer, Request
from squall.core.execution.document import select
from squall.core.execution.trace import TRACE_FIELDS, TraceFilter, document
from squall.services.execution.traces import Traces

_DEFAULT_LIMIT = 100
_COUNT_CAP = 10_000
_SORTED = {"id": "id", "name": "tag", "trace_tag": "tag"}


class TraceRoutes:
    """`/traces`."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _list(self, request: Request) -> Answer:
        query = request.query
        selection = attributes(query, TRACE_FIELDS)
        part = page(query, _DEFAULT_LIMIT)
        ids, names = query.listed("id"), query.listed("name")
        trace_filter = TraceFilter(
            ids=tuple(ids) if ids is not None else None,
            names=tuple(names) if names is not None else None,
            tag=query.text("trace_tag"),
            execution=query.text("execution"),
            rule=query.text("rule"),
            trigger_instance=query.text("trigger_instance"),
            order=tuple((_SORTED[name], descending) for name, descending in sort_keys(query, _SORTED)),
            newest_first=not query.has("sort_asc"),
        )
        traces, total = await self._traces.find(trace_filter, part.limit, part.offset, _COUNT_CAP)
        documents = [select(document(trace), selection.include, selection.exclude) for trace in traces]
        return Answer(documents, headers=part.headers(total, _COUNT_CAP))

    async def _get(self, request: Request) -> Answer:
        return Answer(document(await self._traces.get(request.path["id"])))


_FILTERS = ("id", "name", "trace_tag", "execution", "rule", "trigger_instance", "sort", "sort_asc", "sort_desc")

ROUTES = noun("/traces", "trace", "Trace", "id", (*_FILTERS, *SELECT), TraceRoutes._list, TraceRoutes._get)
