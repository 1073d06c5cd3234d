"""A database that was lost is never replaced by a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.sql.output.seals import SqliteSeals
from squall.assembly.databases import open_database
from squall.core.errors import ConfigError
from squall.ports import ROW, Seal, SealRow
from squall.testing.samples import NOON, sample_execution

pytestmark = pytest.mark.anyio


async def used_home(home: Path) -> None:
    """A data directory with an execution whose output is a row of `seals.db`."""
    rows = SqliteSeals(home / "seals.db")
    store = open_database(home, rows, NOON, "full")
    execution = sample_execution()
    seal = Seal(ROW, 5, 5, "ab")
    await store.tx(lambda tx: tx.executions.insert(execution))
    await store.tx(lambda tx: tx.journals.keep({execution.id: seal}, NOON))
    rows.put([SealRow(execution.id, seal, NOON, b"bytes")])
    rows.close()
    await store.close()


async def opened_again(home: Path) -> None:
    rows = SqliteSeals(home / "seals.db")
    store = open_database(home, rows, NOON + 1, "full")
    await store.close()
    rows.close()


async def test_a_new_data_directory_gets_a_database(tmp_path: Path) -> None:
    await opened_again(tmp_path)
    assert (tmp_path / "squall.db").stat().st_size > 0


async def test_a_used_data_directory_is_opened_again(tmp_path: Path) -> None:
    await used_home(tmp_path)
    await opened_again(tmp_path)


@pytest.mark.parametrize("trace", ["seals.db", "server.id", "journals/65a0c/65a0c0ffee00000000000001.journal"])
@pytest.mark.parametrize("empty", [False, True])
async def test_a_lost_database_is_an_error_with_a_cure(tmp_path: Path, trace: str, empty: bool) -> None:
    (tmp_path / trace).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / trace).touch()
    if empty:
        (tmp_path / "squall.db").touch()
    with pytest.raises(ConfigError, match=r"missing or empty, but .* shows .* Restore squall.db from a backup"):
        await opened_again(tmp_path)
    assert (tmp_path / "squall.db").exists() == empty


@pytest.mark.parametrize("content", [None, b"", bytes(8192)])
async def test_lost_seals_are_an_error_with_a_cure(tmp_path: Path, content: bytes | None) -> None:
    await used_home(tmp_path)
    seals = tmp_path / "seals.db"
    seals.unlink()
    if content is not None:
        seals.write_bytes(content)
    with pytest.raises(ConfigError, match=r"seals.db .* Restore it from a backup"):
        await opened_again(tmp_path)
    seals.unlink(missing_ok=True)
    (tmp_path / "seals.db.lost").touch()
    await opened_again(tmp_path)
