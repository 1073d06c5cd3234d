"""The migrations one by one: what rows of an older schema become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from squall.adapters.sql.migrations import MIGRATIONS
from squall.adapters.sql.sqlite import open_store
from squall.core.event.events import ANNOUNCEMENT, EXECUTION, Event
from squall.testing.samples import sample_id

pytestmark = pytest.mark.anyio

_IDENTITY = "INTEGER PRIMARY KEY AUTOINCREMENT"


def older(path: Path, version: int) -> apsw.Connection:
    """A database of this schema version."""
    connection = apsw.Connection(str(path))
    for step in MIGRATIONS[:version]:
        for statement in step:
            connection.execute(statement.replace("{identity}", _IDENTITY))
    connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
    connection.execute("INSERT INTO schema_version (version) VALUES (?)", (version,))
    return connection


def insert(connection: apsw.Connection, table: str, **values: Any) -> None:
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def ended(connection: apsw.Connection, number: int, result: str, context: str) -> str:
    """Adds an execution with a result, both as JSON text; returns its id."""
    execution = sample_id(number)
    empty = dict.fromkeys(("parameters", "runner_info"), "{}")
    insert(
        connection, "executions", id=execution, tree=execution, action="core.announcement", runner="announcement",
        status="succeeded", username="ada", snapshot="", start_us=1, attempt=1, result_size=1, context=context,
        log="[]", **empty,
    )  # fmt: skip
    insert(connection, "results", execution=execution, body=result)
    return execution


async def test_events_about_executions_become_events_about_resources(tmp_path: Path) -> None:
    # SQLite reads JSON of a thousand levels.
    deep = "[" * 1100 + "]" * 1100
    connection = older(tmp_path / "squall.db", 10)
    plain = ended(connection, 1, '{"output":{"message":"ü","n":1.0},"message":"ü"}', "{}")
    traced = ended(connection, 2, '{"output":{}}', '{"trace_context":{"id_":"t"}}')
    nested = ended(connection, 3, f'{{"output":{deep}}}', "{}")
    names = {
        7: ("st2.execution__update", plain),
        8: ("st2.announcement__general", plain),
        11: ("st2.announcement__room.one", traced),
        12: ("st2.announcement__general", nested),
        20: ("st2.announcement__general", sample_id(9)),
    }
    for row, (name, execution) in names.items():
        insert(
            connection, "events", id=row, name=name, execution=execution, tree=execution, status="succeeded", at_us=row
        )
    connection.close()
    store = open_store(tmp_path / "squall.db", backup_suffix=".old")
    found = await store.read(lambda tx: tx.events.after(0, 10))
    assert [event.id for event in found] == list(names)
    assert found[0] == Event(
        id=7, kind=EXECUTION, name="st2.execution__update", resource=plain, tree=plain, status="succeeded", at=7
    )
    assert {event.kind for event in found[1:]} == {ANNOUNCEMENT}
    assert [(event.name, event.resource) for event in found] == list(names.values())
    documents = [await store.read(lambda tx, row=row: tx.events.document(row)) for row in names]  # type: ignore[misc]
    assert documents == [
        b"",
        '{"payload":{"message":"ü","n":1.0},"trace_context":null}'.encode(),
        b'{"payload":{},"trace_context":{"id_":"t"}}',
        b"",
        b"",
    ]
    await store.close()
