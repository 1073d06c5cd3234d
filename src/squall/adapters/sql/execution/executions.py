"""The table of executions. Results are in a table of their own, so that lists never read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.documents import document, document_text
from squall.adapters.sql.dialect.session import Session, marks
from squall.adapters.sql.execution.filters import order_clause, where_clause
from squall.core.execution.execution import FINAL, Execution, ExecutionFilter, LogEntry, Origin

_COLUMNS = (
    "id, tree, parent, action, runner, status, username, snapshot, start_us, end_us, delay_ms, attempt, result_size, "
    "parameters, context, runner_info, log, notify, rule_name, trigger_name, trigger_type, trigger_instance, origin"
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
    """Returns the record of a row of `_COLUMNS`. If the result was selected, its JSON text is the last column."""
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
        origin=_origin(row[18:23]) if row[22] is not None else None,
        result=document(row[23]) if len(row) > 23 and row[23] is not None else None,
    )


def _origin(row: tuple[Any, ...]) -> Origin:
    return Origin(rule=row[0], trigger=row[1], trigger_type=row[2], trigger_instance=row[3], documents=row[4])


def _select(with_result: bool) -> str:
    if not with_result:
        return f"SELECT {_COLUMNS} FROM executions"
    return f"SELECT {_COLUMNS}, (SELECT body FROM results WHERE execution = executions.id) FROM executions"


_DISTINCT = {
    "action": "action",
    "runner": "runner",
    "status": "status",
    "user": "username",
    "rule": "rule_name",
    "trigger": "trigger_name",
    "trigger_type": "trigger_type",
}


class SqlExecutions:
    """`ports.ExecutionRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def insert(self, execution: Execution) -> None:
        """Adds a new execution."""
        await self._session.run(
            f"INSERT INTO executions ({_COLUMNS}) VALUES ({marks(23)})",
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
            *(msgspec.structs.astuple(execution.origin) if execution.origin is not None else (None,) * 5),
        )
        await self._keep_result(execution)

    async def update(self, execution: Execution) -> None:
        """Writes the columns that may change."""
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
        """Returns one execution by its id; None if there is none."""
        rows = await self._session.run(_select(with_result) + " WHERE id = ?", execution_id)
        return _execution(rows[0]) if rows else None

    async def latest(self) -> str | None:
        """Returns the id of the root execution that started last; None if there is none."""
        rows = await self._session.run(
            "SELECT id FROM executions WHERE parent IS NULL ORDER BY start_us DESC, id DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else None

    async def find(
        self, where: ExecutionFilter, limit: int | None, offset: int, with_result: bool
    ) -> Sequence[Execution]:
        """Returns a page of the executions that match a filter, in the filter's order."""
        clause, values = where_clause(where)
        statement = _select(with_result) + clause + order_clause(where)
        if limit is not None:
            statement += f" LIMIT {int(limit)} OFFSET {int(offset)}"
        elif offset:
            statement += f" LIMIT {2**62} OFFSET {int(offset)}"
        return [_execution(row) for row in await self._session.run(statement, *values)]

    async def count(self, where: ExecutionFilter, cap: int) -> int:
        """Returns the number of executions that match a filter, at most `cap`."""
        clause, values = where_clause(where)
        statement = f"SELECT count(*) FROM (SELECT 1 FROM executions{clause} LIMIT {int(cap)}) AS matching"
        return int((await self._session.run(statement, *values))[0][0])

    async def descendants(self, execution_id: str, depth: int | None, with_result: bool) -> Sequence[Execution]:
        """Returns the descendants of an execution, `depth` levels deep (None: all), oldest first."""
        rows = await self._session.run(
            "WITH RECURSIVE below (id, level) AS ("
            "SELECT id, 1 FROM executions WHERE parent = ? UNION ALL "
            "SELECT child.id, below.level + 1 FROM executions AS child JOIN below ON child.parent = below.id "
            "WHERE below.level < ?) SELECT id FROM below",
            execution_id,
            _LEVELS if depth is None else depth,
        )
        descendants: list[Execution] = []
        ids = [row[0] for row in rows]
        for at in range(0, len(ids), 500):
            descendants += await self.find(ExecutionFilter(ids=tuple(ids[at : at + 500])), None, 0, with_result)
        return sorted(descendants, key=lambda execution: (execution.start, execution.id))

    async def child_ids(self, execution_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """Returns the ids of the direct children by parent."""
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
        """Returns the different values by attribute.

        Steps from each value to the next by an index, because very many rows share few values."""
        values: dict[str, list[str]] = {}
        for name in names:
            if (column := _DISTINCT.get(name)) is None:
                continue
            rows = await self._session.run(
                f"WITH RECURSIVE each (value) AS ("
                f"SELECT min({column}) FROM executions WHERE {column} IS NOT NULL UNION ALL "
                f"SELECT (SELECT min({column}) FROM executions WHERE {column} > each.value) FROM each "
                "WHERE each.value IS NOT NULL) SELECT value FROM each WHERE value IS NOT NULL"
            )
            if rows:
                values[name] = [row[0] for row in rows]
        return values

    async def unfinished(self, tree: str | None) -> Sequence[str]:
        """Returns the ids of executions without a final status, of one tree or of all."""
        selection = f"SELECT id, start_us FROM executions WHERE status IN ({marks(len(_UNFINISHED))})"
        if tree is None:
            rows = await self._session.run(f"{selection} ORDER BY start_us, id", *_UNFINISHED)
        else:
            # The index holds only executions without an end time, so a large tree does not slow this query.
            rows = await self._session.run(
                f"{selection} AND end_us IS NULL AND tree = ? ORDER BY start_us, id", *_UNFINISHED, tree
            )
        return [row[0] for row in rows]
