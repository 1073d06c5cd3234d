"""The tables of traces and of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.execution.trace import EXECUTION, Trace, TraceFilter, TracePart

_PART = "trace, kind, object, ref, cause_kind, cause, at_us"
_MANY = 500
_SORTED = {"id": "id", "tag": "tag"}


def _where(where: TraceFilter) -> tuple[str, list[Any]]:
    terms: list[str] = []
    values: list[Any] = []
    if where.tag is not None:
        terms.append("tag = ?")
        values.append(where.tag)
    for column, names in (("id", where.ids), ("tag", where.names)):
        if names is not None:
            terms.append(f"{column} IN ({marks(len(names))})" if names else "1 = 0")
            values += names
    for kind in where.lacking:
        terms.append("id NOT IN (SELECT trace FROM trace_parts WHERE kind = ?)")
        values.append(kind)
    for kind, object_id in where.objects:
        terms.append("id IN (SELECT trace FROM trace_parts WHERE object = ? AND kind = ?)")
        values += [object_id, kind]
    return (" WHERE " + " AND ".join(terms) if terms else ""), values


def _order(where: TraceFilter) -> str:
    direction = "DESC" if where.newest_first else "ASC"
    directions = {_SORTED[name]: "DESC" if descending else "ASC" for name, descending in where.order}
    directions |= {column: direction for column in ("start_us", "id") if column not in directions}
    return ", ".join(f"{column} {keyword}" for column, keyword in directions.items())


class SqlTraces:
    """`ports.TraceRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, trace: Trace) -> None:
        """Adds a trace with its parts."""
        await self._session.run(
            "INSERT INTO traces (id, tag, start_us) VALUES (?, ?, ?)", trace.id, trace.tag, trace.start
        )
        for part in trace.parts:
            await self.join(trace.id, part)

    async def join(self, trace_id: str, part: TracePart) -> None:
        """Adds a part to a trace."""
        await self._session.run(
            f"INSERT INTO trace_parts ({_PART}) VALUES ({marks(7)}) ON CONFLICT (trace, kind, object) DO NOTHING",
            trace_id,
            part.kind,
            part.object_id,
            part.ref,
            part.cause_kind,
            part.cause_id,
            part.at,
        )

    async def get(self, trace_id: str) -> Trace | None:
        """Returns one trace with its parts; None if there is none."""
        rows = await self._session.run("SELECT id, tag, start_us FROM traces WHERE id = ?", trace_id)
        traces = await self._with_parts(rows)
        return traces[0] if traces else None

    async def known(self, trace_id: str) -> bool:
        """Returns True if the trace exists."""
        return bool(await self._session.run("SELECT 1 FROM traces WHERE id = ?", trace_id))

    async def of_execution(self, execution_id: str) -> str | None:
        """Returns the id of the trace that an execution is part of; None if there is none."""
        rows = await self._session.run(
            "SELECT trace FROM trace_parts WHERE object = ? AND kind = ? LIMIT 1", execution_id, EXECUTION
        )
        return str(rows[0][0]) if rows else None

    async def find(self, where: TraceFilter, limit: int | None, offset: int) -> Sequence[Trace]:
        """Returns a page of the traces that match a filter, with their parts."""
        clause, values = _where(where)
        most = 2**62 if limit is None else int(limit)
        rows = await self._session.run(
            f"SELECT id, tag, start_us FROM traces{clause} ORDER BY {_order(where)} LIMIT {most} OFFSET {int(offset)}",
            *values,
        )
        return await self._with_parts(rows)

    async def count(self, where: TraceFilter, cap: int) -> int:
        """Returns the number of traces that match a filter, at most `cap`."""
        clause, values = _where(where)
        rows = await self._session.run(
            f"SELECT count(*) FROM (SELECT 1 FROM traces{clause} LIMIT {int(cap)}) AS matching", *values
        )
        return int(rows[0][0])

    async def _with_parts(self, rows: Sequence[tuple[Any, ...]]) -> list[Trace]:
        traces = {row[0]: Trace(id=row[0], tag=row[1], start=row[2]) for row in rows}
        parts: dict[str, list[TracePart]] = {trace_id: [] for trace_id in traces}
        ids = list(traces)
        for at in range(0, len(ids), _MANY):
            chunk = ids[at : at + _MANY]
            for row in await self._session.run(
                f"SELECT {_PART} FROM trace_parts WHERE trace IN ({marks(len(chunk))}) ORDER BY at_us, object", *chunk
            ):
                parts[row[0]].append(TracePart(*row[1:]))
        return [msgspec.structs.replace(trace, parts=tuple(parts[trace.id])) for trace in traces.values()]
