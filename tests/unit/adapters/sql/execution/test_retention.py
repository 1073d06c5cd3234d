"""Purges empty every table that has rows about executions."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from squall.adapters.sql.execution.retention import ABOUT
from squall.adapters.sql.sqlite import open_store

pytestmark = pytest.mark.anyio

# Events are removed but for the newest row, tokens when their execution ends or their time is over. An
# enforcement tells that a rule fired, also when its execution is gone.
OTHERS = {("events", "execution"), ("tokens", "execution"), ("enforcements", "execution")}


async def test_each_table_with_a_column_of_executions_is_emptied(tmp_path: Path) -> None:
    await open_store(tmp_path / "squall.db", backup_suffix=".old").close()
    database = apsw.Connection(str(tmp_path / "squall.db"))
    found = database.execute(
        "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c "
        "WHERE t.type = 'table' AND c.name = 'execution'"
    ).fetchall()
    database.close()
    assert {(str(table), str(column)) for table, column in found} - OTHERS == {
        (table, column) for table, column in ABOUT if column == "execution"
    }
