"""Outputs as documents: the size of an execution's output, its lines by row number, and searches in it, page by
page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from squall.api.http.routes import Route, bound
from squall.api.http.wire import Answer, Query, Request
from squall.api.output.forms.rows import row_fields
from squall.api.output.output_lines import search_of
from squall.api.output.selection import Selection, SelectionFilter, streams_of
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.core.output.line_query import OutputSums
from squall.core.output.places import BEGINNING, format_place
from squall.core.timestamp import to_iso
from squall.services.execution.executions import Executions
from squall.services.output.line_history import Row
from squall.services.output.line_reading import LineReading
from squall.services.output.outputs import Outputs

_MOST_LINES = 1_000
_MOST_COUNTED = 1_000_000
_MOST_CONTEXT = 100
_LAST = 1 << 53
_ROWS = 200
_MOST_CUT = 1 << 20
_EVERYTHING = SelectionFilter(True, None, None, None)


class OutputViewRoutes:
    """`/executions/{id}/output/stats`, `…/output/rows` and `…/output/search`. `digest` returns the hash of a sealed
    tree."""

    def __init__(
        self,
        executions: Executions,
        outputs: Outputs,
        reading: LineReading,
        digest: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._executions = executions
        self._outputs = outputs
        self._reading = reading
        self._digest = digest

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _execution(self, request: Request) -> Execution:
        return await self._executions.get(await self._executions.resolve(request.path["id"]), False)

    async def _stats(self, request: Request) -> Answer:
        execution = await self._execution(request)
        sums = await self._reading.sums(execution, None)
        own_sums = sums.get(execution.id, OutputSums())
        stats = _stats_document(own_sums)
        stats["execution_id"] = execution.id
        stats["masked"] = execution.runner_info.get("masked", 0)
        stats["hash"] = await self._digest(execution.tree)
        if execution.parent is None:
            tree_sums = (await self._reading.sums(execution, [""])).get("", own_sums)
            stats["tree"] = {
                "executions": len(sums),
                "bytes": sum(sum(each.sizes) for each in sums.values()),
                "lines": sum(each.lines for each in sums.values()),
                "gaps": _gaps(tree_sums),
            }
        return Answer(stats)

    async def _rows(self, request: Request) -> Answer:
        query = request.query
        execution = await self._execution(request)
        whole = _whole(query, execution)
        first, last = _row(query, "from_row", 1 - _ROWS), _row(query, "to_row", 0)
        if (first > 0) == (last > 0) and last - first >= _MOST_LINES:
            raise InvalidError(f"to_row: a request can name at most {_MOST_LINES} rows, not {last - first + 1}")
        if first <= 0 < last:
            raise InvalidError("to_row: from_row counts from the end, so to_row must too (0 is the last row)")
        cut = query.integer("line_bytes")
        if cut is not None and not 1 <= cut <= _MOST_CUT:
            raise InvalidError(f"line_bytes: {cut} is not between 1 and {_MOST_CUT}")
        page = await self._reading.rows(execution, whole, first, last, _streams(query), cut)
        labels = await Selection(self._outputs, execution, _EVERYTHING).labels({each for each, _ in page.rows})
        rows = []
        for number, (owner, line) in enumerate(page.rows[:_MOST_LINES], page.first):
            fields = row_fields(Row(owner, line, False, False), labels.get(owner))
            if whole:
                fields["line"], fields["tree_line"] = None, line.number
            rows.append({"row": number, **fields})
        gaps = [
            {"after_row": each.after, "output_type": journal.STREAMS.get(each.stream), **msgspec.json.decode(each.told)}
            for each in page.missing
        ]
        return Answer({"execution_id": execution.id, "total": page.total, "rows": rows, "gaps": gaps})

    async def _search(self, request: Request) -> Answer:
        query = request.query
        execution = await self._execution(request)
        base = search_of(query, "pattern") or search_of(query, "grep")
        if base is None:
            raise InvalidError("pattern: the search text is missing (an expression of RE2; plain text with fixed=true)")
        count_only = query.boolean("count", False)
        most_hits = _MOST_COUNTED if count_only else _MOST_LINES
        limit = query.integer("limit", most_hits if count_only else 100) or 0
        if not 1 <= limit <= most_hits:
            raise InvalidError(f"limit: {limit} is not between 1 and {most_hits}")
        streams = _streams(query)
        search = msgspec.structs.replace(
            base,
            start=query.integer("from_line", 1) or 1,
            stop=query.integer("to_line", _LAST) or _LAST,
            limit=limit,
            backwards=query.boolean("backwards", False),
            streams=streams,
        )
        if query.boolean("rows", False):
            match_streams = streams_of(query.text("match_stream")) if query.has("match_stream") else streams
            search = msgspec.structs.replace(
                search, counted=streams, streams=None if match_streams is None else tuple(sorted(match_streams))
            )
            hits = await self._reading.find_rows(execution, _whole(query, execution), search)
            result = {"count": len(hits.numbers), "resume": hits.resume or None}
            return Answer({"execution_id": execution.id, **result, **({} if count_only else {"rows": hits.numbers})})
        context = query.integer("context", 0) or 0
        if not 0 <= context <= _MOST_CONTEXT:
            raise InvalidError(f"context: {context} is not between 0 and {_MOST_CONTEXT}")
        rows, hits = await self._reading.find(execution, search, None if count_only else context)
        labels = await self._outputs.labels({execution.id})
        answer: dict[str, Any] = {
            "execution_id": execution.id,
            "count": len(hits.numbers),
            "resume": hits.resume or None,
        }
        if not count_only:
            answer["lines"] = [row_fields(row, labels.get(execution.id)) for row in rows]
        return Answer(answer)


def _streams(query: Query) -> tuple[int, ...] | None:
    streams = streams_of(query.text("stream") or query.text("type"))
    return None if streams is None else tuple(sorted(streams))


def _whole(query: Query, execution: Execution) -> bool:
    """Returns True if the request is about the whole tree: the execution is a root, and `tree` is not false. Raises
    `InvalidError`."""
    tree = query.boolean("tree", execution.parent is None)
    if tree and execution.parent is not None:
        raise InvalidError(
            f"tree: {execution.id} is not the root of its tree. Leave tree out, or ask for the rows of {execution.tree}"
        )
    return tree


def _row(query: Query, name: str, default: int) -> int:
    value = query.integer(name, default)
    assert value is not None  # noqa: S101 - there is a default
    if abs(value) > _LAST:
        raise InvalidError(f"{name}: {value} is not between {-_LAST} and {_LAST}")
    return value


def _stats_document(sums: OutputSums) -> dict[str, Any]:
    return {
        "bytes": sum(sums.sizes),
        "lines": sums.lines,
        "streams": {
            name: {"bytes": sums.sizes[number], "lines": sums.line_counts[number]}
            for number, name in journal.STREAMS.items()
            if sums.sizes[number]
        },
        "first_position": format_place(sums.first) if sums.first != BEGINNING else None,
        "last_position": format_place(sums.last) if sums.last != BEGINNING else None,
        "first_output": to_iso(sums.began) if sums.began else None,
        "last_output": to_iso(sums.time) if sums.time else None,
        "gaps": _gaps(sums),
    }


def _gaps(sums: OutputSums) -> dict[str, Any]:
    return {"count": sums.gaps, "bytes": sums.missing, "after_lines": list(sums.places)}


_SEARCH = (
    "pattern", "fixed", "ignore_case", "limit", "stream", "type", "from_line", "to_line", "backwards", "count",
    "context", "rows", "tree", "match_stream",
)  # fmt: skip

ROUTES = (
    Route("GET", "/executions/{id}/output/stats", OutputViewRoutes._stats, "Size of the output", "OutputStats"),
    Route(
        "GET", "/executions/{id}/output/search", OutputViewRoutes._search, "Search the output, page by page",
        "SearchAnswer", _SEARCH,
    ),
    Route(
        "GET", "/executions/{id}/output/rows", OutputViewRoutes._rows, "Lines of the output by row number",
        "RowsAnswer",
        ("from_row", "to_row", "stream", "type", "tree", "line_bytes"),
    ),
)  # fmt: skip
