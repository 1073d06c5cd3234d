"""The first page of a million executions, plain and filtered, over HTTP; the floor is the same SQL in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import apsw

from bench.context import Bench, BrokenError, median, percentile
from bench.filling import fill
from bench.goals import LISTING
from bench.rows import Row
from bench.servers import squall
from bench.wire import Connection
from squall.adapters.sql.dialect.session import Dialect
from squall.adapters.sql.execution.executions import SqlExecutions
from squall.adapters.sql.sqlite import DIALECT, drive
from squall.core.execution.execution import ExecutionFilter
from squall.services.execution.executions import COUNT_CAP

_LIMIT = 50
_CASES: tuple[tuple[str, str, ExecutionFilter, int], ...] = (
    ("all", "", ExecutionFilter(), 0),
    ("status=failed", "&status=failed", ExecutionFilter(status="failed"), 0),
    ("action=core.local", "&action=core.local", ExecutionFilter(action="core.local"), 0),
    ("parent=null", "&parent=null", ExecutionFilter(parent=""), 0),
    ("offset=1000", "&offset=1000", ExecutionFilter(), 1000),
)

Statements = list[tuple[str, tuple[Any, ...]]]


class _Took(NamedTuple):
    """ms of one request."""

    p50: float
    p99: float


class _Recorder:
    """A session that also writes down every statement that Squall's own code runs on it."""

    dialect: Dialect = DIALECT

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.statements: Statements = []

    async def run(self, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        """Executes one statement and gives its rows."""
        self.statements.append((statement, parameters))
        return self._connection.execute(statement, parameters).fetchall()


def listing(bench: Bench) -> Iterator[Row]:
    """Fifty of a million."""
    count = bench.sized(1_000_000, 100_000)
    data = bench.folder("million")
    began = time.monotonic()
    fill(data, count)
    filled = time.monotonic() - began
    database = apsw.Connection(str(data / "squall.db"), flags=apsw.SQLITE_OPEN_READONLY)
    with squall(bench, data) as server:
        size = (data / "squall.db").stat().st_size / 1e6
        note = f"{count:,} executions in {size:,.0f} MB, filled in {filled:.0f} s; start on them {server.started:.2f} s"
        connection = Connection(server.port)
        for name, query, where, offset in _CASES:
            path = f"/v1/executions?limit={_LIMIT}{query}"
            statements = _statements(database, where, offset)
            squalls, floors = bench.in_turns(
                partial(_requests, connection, path, bench.sized(67, 50)),
                partial(_executions, database, statements, bench.sized(67, 50)),
            )
            for part, goal in (("p50", LISTING), ("p99", None)):
                ours = median([getattr(one, part) for one in squalls])
                theirs = median([getattr(one, part) for one in floors])
                yield Row(f"list {_LIMIT} of {count:,}, {name}, {part}", "ms", ours, theirs, goal, note=note)
                note = ""
        connection.close()
    database.close()


def _statements(database: apsw.Connection, where: ExecutionFilter, offset: int) -> Statements:
    """What Squall asks the database for this page."""
    recorder = _Recorder(database)
    rows = SqlExecutions(recorder)
    page = drive(rows.find(where, _LIMIT, offset, True))
    drive(rows.count(where, COUNT_CAP))
    drive(rows.child_ids([execution.id for execution in page]))
    if len(page) != _LIMIT:
        raise BrokenError(f"{len(page)} executions match {where}")
    return recorder.statements


def _took(seconds: list[float]) -> _Took:
    return _Took(percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000)


def _requests(connection: Connection, path: str, count: int) -> _Took:
    seconds = []
    for _ in range(count):
        began = time.monotonic()
        status, _, body = connection.request("GET", path)
        seconds.append(time.monotonic() - began)
        if status != 200:
            raise BrokenError(f"GET {path} gave {status}: {body[:500]!r}")
    if len(json.loads(body)) != _LIMIT:
        raise BrokenError(f"GET {path} gave {len(json.loads(body))} executions")
    return _took(seconds)


def _executions(database: apsw.Connection, statements: Statements, count: int) -> _Took:
    seconds = []
    for _ in range(count):
        began = time.monotonic()
        for statement, parameters in statements:
            database.execute(statement, parameters).fetchall()
        seconds.append(time.monotonic() - began)
    return _took(seconds)
