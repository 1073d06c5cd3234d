"""The SQLite store below its contract: files and versions, units that wait, one view for a reader, the end."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from squall.adapters import durable
from squall.adapters.sql import sqlite
from squall.adapters.sql.copying import check_database
from squall.adapters.sql.migrations import VERSION
from squall.adapters.sql.sqlite import SqliteStore, drive, open_store
from squall.core.errors import ConfigError, UnavailableError
from squall.ports import Tx
from squall.testing.samples import NOON, sample_execution, sample_id
from squall.testing.tables.store import inserting, known
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "squall.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = open_store(path, backup_suffix=".old")
    yield opened
    await opened.close()


def edit(path: Path, statement: str, *values: Any) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement, values)
    connection.close()


async def test_the_files_are_for_their_owner_alone(store: SqliteStore, path: Path) -> None:
    await store.tx(inserting(1))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "squall.db" in modes


async def test_what_was_kept_is_there_after_opening_again(store: SqliteStore, path: Path) -> None:
    await store.tx(inserting(1))
    await store.close()
    again = open_store(path, backup_suffix=".old")
    assert await known(again) == [sample_id(1)]
    await again.close()
    assert not path.with_name("squall.db.old").exists()


async def test_a_closed_store_leaves_one_file_that_holds_everything(store: SqliteStore, path: Path) -> None:
    for number in range(1, 50):
        await store.tx(inserting(number))
    await store.close()
    left = {file.name: file.stat().st_size for file in path.parent.iterdir()}
    assert left.get("squall.db-wal", 0) == 0
    assert left["squall.db"] > 0


async def test_a_unit_that_waits_for_anything_else_fails_and_leaves_nothing(store: SqliteStore) -> None:
    waits: list[Callable[[], Any]] = [lambda: asyncio.sleep(0), lambda: asyncio.sleep(10), asyncio.Event().wait]
    for wait in waits:

        async def work(tx: Tx, wait: Callable[[], Any] = wait) -> None:
            await tx.executions.insert(sample_execution(1))
            await wait()

        with pytest.raises((RuntimeError, AttributeError)):
            await store.tx(work)
    with pytest.raises(RuntimeError, match="not its transaction"):
        await store.read(lambda tx: asyncio.sleep(0))
    assert await known(store) == []
    await store.tx(inserting(2))


async def test_a_unit_that_ends_itself_as_canceled_stops_nobody_else(store: SqliteStore) -> None:
    async def canceled(tx: Tx) -> None:
        await tx.executions.insert(sample_execution(1))
        raise asyncio.CancelledError

    for channel in (store.tx, store.read):
        async with asyncio.timeout(PATIENCE):
            outcome = await asyncio.gather(channel(canceled), return_exceptions=True)
        assert isinstance(outcome[0], BaseException)
    async with asyncio.timeout(PATIENCE):
        await store.tx(inserting(2))
        assert await known(store) == [sample_id(2)]


def test_driving_gives_what_a_unit_returns() -> None:
    async def unit() -> int:
        return 5

    async def failing() -> int:
        raise LookupError

    assert drive(unit()) == 5
    with pytest.raises(LookupError):
        drive(failing())


async def test_units_that_come_together_are_committed_together(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    commit = SqliteStore._commit

    def counting(line: Any, group: list[Any]) -> None:
        groups.append(len(group))
        commit(line, group)

    monkeypatch.setattr(store, "_commit", counting)
    await asyncio.gather(*(store.tx(inserting(number)) for number in range(1, 301)))
    assert sum(groups) == 300
    assert len(groups) < 60


async def test_a_reader_keeps_its_view_while_others_write(store: SqliteStore) -> None:
    await store.tx(inserting(1))
    looked, written = threading.Event(), threading.Event()

    async def looking(tx: Tx) -> tuple[int, int]:
        before = len(await tx.executions.unfinished(None))
        looked.set()
        assert written.wait(10)
        return before, len(await tx.executions.unfinished(None))

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(store.read(looking))
        await asyncio.to_thread(looked.wait, 10)
        await store.tx(inserting(2))
        assert len(await known(store)) == 2
        written.set()
    assert reading.result() == (1, 1)
    assert len(await known(store)) == 2


async def test_a_database_that_takes_nothing_is_told_as_unavailable_and_recovers(store: SqliteStore) -> None:
    await store.tx(lambda tx: limit_pages(tx, 1))
    with pytest.raises(UnavailableError, match="full"):
        await store.tx(lambda tx: tx.queue.put("run", "k" * 10_000_000, None, NOON))
    await store.tx(lambda tx: limit_pages(tx, 1 << 30))
    await store.tx(inserting(1))
    assert await known(store) == [sample_id(1)]
    assert await store.read(lambda tx: tx.queue.depths()) == {}


async def limit_pages(tx: Any, count: int) -> None:
    """Lets the writer's database grow to no more than this, as a full disk would."""
    await tx.queue._session.run(f"PRAGMA max_page_count = {count}")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(apsw.IOError("disk"), UnavailableError), (apsw.BusyError(""), UnavailableError), (apsw.TooBigError(""), None)],
)
async def test_an_error_of_the_machine_in_a_unit_is_told_as_unavailable(
    store: SqliteStore, error: Exception, kind: type[Exception] | None
) -> None:
    async def work(tx: Tx) -> None:
        raise error

    for submit in (store.tx, store.read):
        with pytest.raises(kind or type(error)):
            await submit(work)


async def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(store: SqliteStore, path: Path) -> None:
    await store.tx(inserting(1))
    await store.close()
    edit(path, "UPDATE schema_version SET version = ?", VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"newer Squall .schema {VERSION + 1}, this one reads up to {VERSION}"):
        open_store(path, backup_suffix=".old")
    assert path.read_bytes() == before
    assert not path.with_name("squall.db.old").exists()


async def test_a_store_of_an_older_version_is_backed_up_and_brought_up_to_date(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.tx(inserting(1))
    await store.close()
    steps = (*sqlite_migrations().MIGRATIONS, ("CREATE TABLE added (id {identity})",))
    monkeypatch.setattr(sqlite_migrations(), "MIGRATIONS", steps)
    monkeypatch.setattr(sqlite_migrations(), "VERSION", len(steps))
    monkeypatch.setattr(sqlite, "VERSION", len(steps))
    migrated = open_store(path, backup_suffix=".before")
    assert await known(migrated) == [sample_id(1)]
    assert await migrated.read(lambda tx: tables(tx, "added")) == ["added"]
    await migrated.close()
    backup = path.with_name("squall.db.before")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    monkeypatch.undo()
    old = open_store(backup, backup_suffix=".old")
    assert await known(old) == [sample_id(1)]
    assert await old.read(lambda tx: tables(tx, "added")) == []
    await old.close()


async def test_a_copy_before_a_migration_has_its_name_only_when_it_is_whole(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.close()
    steps = (*sqlite_migrations().MIGRATIONS, ("CREATE TABLE added (id {identity})",))
    for module in (sqlite_migrations(), sqlite):
        monkeypatch.setattr(module, "VERSION", len(steps))
    monkeypatch.setattr(sqlite_migrations(), "MIGRATIONS", steps)
    with monkeypatch.context() as cut:
        cut.setattr(durable, "sync_file", lambda _path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            open_store(path, backup_suffix=".before")
    assert not path.with_name("squall.db.before").exists()
    await open_store(path, backup_suffix=".before").close()
    assert check_database(path.with_name("squall.db.before")) == ""
    assert not path.with_name("squall.db.before.incomplete").exists()


async def test_a_migration_that_fails_changes_nothing(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.tx(inserting(1))
    await store.close()
    steps = (*sqlite_migrations().MIGRATIONS, ("CREATE TABLE added (id {identity})", "NONSENSE"))
    monkeypatch.setattr(sqlite_migrations(), "MIGRATIONS", steps)
    monkeypatch.setattr(sqlite_migrations(), "VERSION", len(steps))
    monkeypatch.setattr(sqlite, "VERSION", len(steps))
    with pytest.raises(ConfigError):
        open_store(path, backup_suffix=".before")
    monkeypatch.undo()
    again = open_store(path, backup_suffix=".old")
    assert await known(again) == [sample_id(1)]
    assert await again.read(lambda tx: tables(tx, "added")) == []
    await again.close()


def sqlite_migrations() -> Any:
    from squall.adapters.sql import migrations

    return migrations


async def tables(tx: Any, name: str) -> list[str]:
    rows = await tx.queue._session.run("SELECT name FROM sqlite_schema WHERE name = ?", name)
    return [row[0] for row in rows]


@pytest.mark.parametrize("content", [b"no database" * 500, bytes(8192)])
def test_what_is_no_database_is_told_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be used as Squall's database"):
        open_store(path, backup_suffix=".old")
    assert path.read_bytes() == content


def test_a_folder_in_its_place_or_none_around_it_is_told(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    for wrong in (path, tmp_path / "nosuch" / "squall.db"):
        with pytest.raises(ConfigError, match="--data-dir"):
            open_store(wrong, backup_suffix=".old")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written_is_told(path: Path) -> None:
    path.parent.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match="--data-dir"):
            open_store(path, backup_suffix=".old")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "action = 'a'",
        "status = 'a'",
        "username = 'a'",
        "runner = 'a'",
        "parent = 'a'",
        "parent IS NULL",
        "start_us > 5",
    ],
)
async def test_every_list_is_answered_by_an_index(store: SqliteStore, condition: str) -> None:
    statement = f"SELECT id FROM executions WHERE {condition} ORDER BY start_us DESC, id DESC LIMIT 50"
    plan = await store.read(lambda tx: explain(tx, statement))
    assert "USING" in plan
    assert "TEMP B-TREE" not in plan


async def explain(tx: Any, statement: str) -> str:
    return str(await tx.queue._session.run(f"EXPLAIN QUERY PLAN {statement}"))
