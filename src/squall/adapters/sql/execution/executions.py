"""The table of executions, with results beside it so that lists never touch them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.documents import document, document_text
from squall.adapters.sql.dialect.session import Session, marks
from squall.adapters.sql.execution.filters import order_clause, where_clause
from squall.core.execution.execution import FINAL, Execution, ExecutionFilter, LogEntry

_COLUMNS = (
    "id, tree, parent, action, runner, status, username, snapshot, start_us, end_us, delay_ms, attempt, result_size, "
    "parameters, context, runner_info, log, notify"
)
_JSON = msgspec.json.Encoder()
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_LOG = msgspec.json.Decoder(tuple[LogEntry, ...])
_UNFINISHED = sorted(
    {"requested", "scheduled", "delayed", "running", "canceling", "pending", "pausing", "paused", "resuming"} - FINAL
)
_LEVELS = 1000


def _text(value: Any) -> str:
    return _JSON.encode(value).decode()


def _execution(row: tuple[Any, ...]) -> Execution:
    """The record of a row of `_COLUMNS`, with the result's JSON text behind it if it was asked for."""
    return Execution(
        id=row[0],
        tree=row[1],
        parent=row[2],
        action=row[3],
        runner=row[4],
        status=row[5],
        user=row[6],
        snapshot=row[7],
        start=row[8],
        end=row[9],
        delay=row[10],
        attempt=row[11],
        result_size=row[12],
        parameters=document(row[13]),
        context=_OBJECT.decode(row[14]),
        runner_info=_OBJECT.decode(row[15]),
        log=_LOG.decode(row[16]),
        notify=_OBJECT.decode(row[17]) if row[17] is not None else {},
        result=document(row[18]) if len(row) > 18 and row[18] is not None else None,
    )


def _select(with_result: bool) -> str:
    if not with_result:
        return f"SELECT {_COLUMNS} FROM executions"
    return f"SELECT {_COLUMNS}, (SELECT body FROM results WHERE execution = executions.id) FROM executions"


_DISTINCT = {"action": "action", "runner": "runner", "status": "status", "user": "username"}


class SqlExecutions:
    """`ports.ExecutionRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def insert(self, execution: Execution) -> None:
        """Adds a new one."""
        await self._session.run(
            f"INSERT INTO executions ({_COLUMNS}) VALUES ({marks(18)})",
            execution.id,
            execution.tree,
            execution.parent,
            execution.action,
            execution.runner,
            execution.status,
            execution.user,
            execution.snapshot,
            execution.start,
            execution.end,
            execution.delay,
            execution.attempt,
            execution.result_size,
            document_text(execution.parameters),
            _text(execution.context),
            _text(execution.runner_info),
            _text(execution.log),
            _text(execution.notify) if execution.notify else None,
        )
        await self._keep_result(execution)

    async def update(self, execution: Execution) -> None:
        """Writes what may change."""
        await self._session.run(
            "UPDATE executions SET status = ?, end_us = ?, attempt = ?, result_size = ?, context = ?, runner_info = ?, "
            "log = ? WHERE id = ?",
            execution.status,
            execution.end,
            execution.attempt,
            execution.result_size,
            _text(execution.context),
            _text(execution.runner_info),
            _text(execution.log),
            execution.id,
        )
        await self._keep_result(execution)

    async def _keep_result(self, execution: Execution) -> None:
        if execution.result is None:
            return
        await self._session.run(
            "INSERT INTO results (execution, body) VALUES (?, ?) "
            "ON CONFLICT (execution) DO UPDATE SET body = excluded.body",
            execution.id,
            document_text(execution.result),
        )

    async def get(self, execution_id: str, with_result: bool = True) -> Execution | None:
        """One by id."""
        rows = await self._session.run(_select(with_result) + " WHERE id = ?", execution_id)
        return _execution(rows[0]) if rows else None

    async def latest(self) -> str | None:
        """The id of the one that started last, of those that are nobody's child."""
        rows = await self._session.run(
            "SELECT id FROM executions WHERE parent IS NULL ORDER BY start_us DESC, id DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else None

    async def find(
        self, where: ExecutionFilter, limit: int | None, offset: int, with_result: bool
    ) -> Sequence[Execution]:
        """A page of those that match, in the order that the filter says."""
        clause, values = where_clause(where)
        statement = _select(with_result) + clause + order_clause(where)
        if limit is not None:
            statement += f" LIMIT {int(limit)} OFFSET {int(offset)}"
        elif offset:
            statement += f" LIMIT {2**62} OFFSET {int(offset)}"
        return [_execution(row) for row in await self._session.run(statement, *values)]

    async def count(self, where: ExecutionFilter, cap: int) -> int:
        """How many match, at most `cap`."""
        clause, values = where_clause(where)
        statement = f"SELECT count(*) FROM (SELECT 1 FROM executions{clause} LIMIT {int(cap)}) AS matching"
        return int((await self._session.run(statement, *values))[0][0])

    async def descendants(self, execution_id: str, depth: int | None, with_result: bool) -> Sequence[Execution]:
        """Children and theirs, depth levels deep, oldest first."""
        rows = await self._session.run(
            "WITH RECURSIVE below (id, level) AS ("
            "SELECT id, 1 FROM executions WHERE parent = ? UNION ALL "
            "SELECT child.id, below.level + 1 FROM executions AS child JOIN below ON child.parent = below.id "
            "WHERE below.level < ?) SELECT id FROM below",
            execution_id,
            _LEVELS if depth is None else depth,
        )
        found: list[Execution] = []
        ids = [row[0] for row in rows]
        for at in range(0, len(ids), 500):
            found += await self.find(ExecutionFilter(ids=tuple(ids[at : at + 500])), None, 0, with_result)
        return sorted(found, key=lambda execution: (execution.start, execution.id))

    async def child_ids(self, execution_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """The ids of direct children by parent."""
        children: dict[str, list[str]] = {}
        for at in range(0, len(execution_ids), 500):
            chunk = execution_ids[at : at + 500]
            rows = await self._session.run(
                f"SELECT parent, id FROM executions WHERE parent IS NOT NULL AND parent IN ({marks(len(chunk))}) "
                "ORDER BY start_us, id",
                *chunk,
            )
            for parent, child in rows:
                children.setdefault(parent, []).append(child)
        return children

    async def distinct(self, names: Sequence[str]) -> Mapping[str, list[str]]:
        """Different values by attribute. From each to the next by an index: there are few, of very many rows."""
        found: dict[str, list[str]] = {}
        for name in names:
            if (column := _DISTINCT.get(name)) is None:
                continue
            rows = await self._session.run(
                f"WITH RECURSIVE each (value) AS (SELECT min({column}) FROM executions UNION ALL "
                f"SELECT (SELECT min({column}) FROM executions WHERE {column} > each.value) FROM each "
                "WHERE each.value IS NOT NULL) SELECT value FROM each WHERE value IS NOT NULL"
            )
            if rows:
                found[name] = [row[0] for row in rows]
        return found

    async def unfinished(self, tree: str | None) -> Sequence[str]:
        """The ids of those without a final status."""
        open_ones = f"SELECT id, start_us FROM executions WHERE status IN ({marks(len(_UNFINISHED))})"
        if tree is None:
            rows = await self._session.run(f"{open_ones} ORDER BY start_us, id", *_UNFINISHED)
        else:
            # What ended has a time of its end; the index holds only what has none, however large the tree is.
            rows = await self._session.run(
                f"{open_ones} AND end_us IS NULL AND tree = ? ORDER BY start_us, id", *_UNFINISHED, tree
            )
        return [row[0] for row in rows]
