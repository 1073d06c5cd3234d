"""Fills a data directory with a great many finished executions, made like those that a real server has written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from bench.context import BrokenError
from bench.servers import start_squall
from bench.wire import Connection
from squall.core.ids import make_id

_SPACING_US = 2_500_000
_CHILDREN_EVERY = 4
_MODELS: tuple[tuple[str, dict[str, Any], int], ...] = (
    # action, parameters, and how often it comes in twenty
    ("core.noop", {}, 4),
    ("core.local", {"cmd": "df -h / && uptime"}, 9),
    ("examples.hello", {"name": "bench", "times": 3, "tags": ["a", "b"]}, 6),
    ("examples.exit_with", {"code": 3}, 1),
)


def fill(data: Path, count: int) -> None:
    """Makes a data directory with `count` executions: real ones, multiplied; every fourth is a child of the one before.

    Indexes are made when the rows are there, and nothing is forced to the disk: what is left is the same.
    """
    _make_models(data)
    database = apsw.Connection(str(data / "squall.db"))
    for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
        database.execute(f"PRAGMA {pragma}").fetchall()
    database.execute("PRAGMA cache_size = -400000; PRAGMA temp_store = MEMORY")
    indexes = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'executions' AND sql IS NOT NULL"
    ).fetchall()
    columns = [str(row[1]) for row in database.execute("PRAGMA table_info(executions)").fetchall()]
    models = _models(database, columns)
    database.execute("BEGIN")
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")
    marks = ",".join("?" * len(columns))
    database.executemany(f"INSERT INTO executions VALUES ({marks})", _rows(models, columns, count))
    _fill_results(database)
    for _, statement in indexes:
        database.execute(str(statement))
    database.execute("COMMIT")
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.close()


def _make_models(data: Path) -> None:
    """Lets a server make the database and run each model once, so that rows, results and snapshots are real."""
    server = start_squall(data)
    try:
        connection = Connection(server.port)
        ids = [
            connection.post("/v1/executions", {"action": action, "parameters": parameters})["id"]
            for action, parameters, _ in _MODELS
        ]
        until = time.monotonic() + 30
        for execution in ids:
            path = f"/v1/executions/{execution}/attribute/status"
            while connection.request("GET", path)[2] not in (b'"succeeded"', b'"failed"'):
                if time.monotonic() > until:
                    raise BrokenError(f"{execution} did not end")
                time.sleep(0.02)
        connection.close()
    finally:
        server.stop()


def _models(database: apsw.Connection, columns: list[str]) -> list[tuple[Any, ...]]:
    """One row of each model, as often as it is to come."""
    at = columns.index("action")
    rows = {row[at]: row for row in database.execute("SELECT * FROM executions").fetchall()}
    return [rows[action] for action, _, times in _MODELS for _ in range(times)]


def _rows(models: list[tuple[Any, ...]], columns: list[str], count: int) -> Iterator[tuple[Any, ...]]:
    """The rows, oldest first, all older than the models."""
    names = ("id", "tree", "parent", "start_us", "end_us")
    ident, tree, parent, start, end = (columns.index(name) for name in names)
    first = min(row[start] for row in models) - count * _SPACING_US
    root = ""
    for number in range(count):
        model = models[number * 7 % len(models)]
        began = first + number * _SPACING_US
        made = make_id(began, os.urandom(6))
        child = number % _CHILDREN_EVERY == _CHILDREN_EVERY - 1
        if not child:
            root = made
        row = list(model)
        row[ident], row[tree], row[parent] = made, root, root if child else None
        row[start], row[end] = began, began + model[end] - model[start]
        yield tuple(row)


def _fill_results(database: apsw.Connection) -> None:
    """A result for every execution: that of its action's model."""
    for action, _, _ in _MODELS:
        database.execute(
            "INSERT INTO results (execution, body) SELECT id, (SELECT body FROM results JOIN executions AS model "
            "ON model.id = results.execution WHERE model.action = ?1 LIMIT 1) FROM executions "
            "WHERE action = ?1 AND id NOT IN (SELECT execution FROM results)",
            (action,),
        )
