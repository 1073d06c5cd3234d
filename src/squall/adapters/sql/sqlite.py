"""The SQLite store: one thread writes, with group commit; a few threads read. Only the writing connection checkpoints,
and readers cannot write, so no known WAL defect can occur.

A unit of work is a coroutine that only waits for its own statements, so a thread can drive it to its end. The same
units can run on an event loop over an asynchronous driver.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import apsw

from squall.adapters import durable
from squall.adapters.sql.dialect.files import keep_files
from squall.adapters.sql.dialect.session import Dialect
from squall.adapters.sql.migrations import VERSION, migrate, stored_version
from squall.adapters.sql.tables import Tables
from squall.core.environment import is_of_environment
from squall.core.errors import ConfigError, UnavailableError
from squall.ports import BLOB, ROW, Tx

T = TypeVar("T")
Synchronous = Literal["full", "normal"]
"""Whether each group of units is on the disk before its callers know of it, or some seconds later."""

DIALECT = Dialect(identity="INTEGER PRIMARY KEY AUTOINCREMENT", skip_locked="")
_READERS = 2
_GROUP = 512
_STATEMENT_CACHE = 256
_LOG_PAGES = 2000
_LOG_PAGE = 4096 + 24
_TRANSIENT = (
    apsw.BusyError, apsw.CantOpenError, apsw.CorruptError, apsw.FullError, apsw.IOError, apsw.LockedError,
    apsw.NoMemError, apsw.NotADBError, apsw.PermissionsError, apsw.ProtocolError, apsw.ReadOnlyError,
)  # fmt: skip


class _Session:
    """A `Session` over one connection."""

    dialect = DIALECT

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def run(self, statement: str, *parameters: Any) -> Sequence[tuple[Any, ...]]:
        # `execute` opens a cursor for each statement; `fetchall` closes it at once.
        return self._connection.execute(statement, parameters).fetchall()


class _Unit:
    """One unit of work for a thread, and the future on which its caller waits."""

    __slots__ = ("durable", "error", "future", "loop", "result", "work")

    def __init__(
        self, work: Callable[[Tx], Awaitable[Any]], loop: asyncio.AbstractEventLoop, durable: bool = True
    ) -> None:
        self.work = work
        self.durable = durable
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def drive(unit: Awaitable[T]) -> T:
    """Runs a unit of work to its end on this thread. Raises `RuntimeError` if it waits for anything but statements."""
    steps = unit.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        return cast(T, stop.value)
    raise RuntimeError("a unit of work waited for something that is not its transaction")


def _run_unit(connection: apsw.Connection, tables: Tables, unit: _Unit) -> None:
    """Runs one unit in its savepoint. Raises `apsw.Error` if its failure ended the whole transaction."""
    connection.execute("SAVEPOINT unit")
    try:
        unit.result = drive(unit.work(tables))
    except BaseException as error:
        # Some errors, such as a full disk, end the transaction by themselves: then no unit in it has done its work.
        if isinstance(error, apsw.Error) and not connection.in_transaction:
            raise
        unit.error = UnavailableError(f"The database could not write: {error}") if _is_transient(error) else error
        connection.execute("ROLLBACK TO unit")
    connection.execute("RELEASE unit")


def _is_transient(error: BaseException) -> bool:
    """Returns True if the machine, not the statement, caused an error: a later attempt may succeed."""
    return isinstance(error, _TRANSIENT) or is_of_environment(error)


def _settle(units: list[_Unit]) -> None:
    for unit in units:
        unit.settle()


def _connect(path: Path, *, writer: bool, synchronous: Synchronous = "full") -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writer else 0)
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENT_CACHE)
    connection.set_busy_timeout(10_000)
    keep_files(connection)
    if writer:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        # An answer that a client has seen must survive a loss of power, so each commit forces the WAL to the disk.
        connection.execute(f"PRAGMA synchronous = {synchronous}").fetchall()
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}").fetchall()
        connection.execute("PRAGMA temp_store = MEMORY").fetchall()
    else:
        connection.execute("PRAGMA query_only = 1").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    connection.execute("PRAGMA cache_size = -16000").fetchall()
    return connection


class _Line:
    """The connection of one thread. It is opened when it is needed, and again after an error that has broken it: no
    error of the machine ends a thread."""

    def __init__(self, path: Path, *, writer: bool, synchronous: Synchronous = "full") -> None:
        self._path = path
        self._writer = writer
        self._synchronous: Synchronous = synchronous
        self._current = synchronous
        self._opened: tuple[apsw.Connection, Tables] | None = None

    def open(self) -> tuple[apsw.Connection, Tables]:
        """Returns the connection and its tables. Raises `apsw.Error`."""
        if self._opened is None:
            connection = _connect(self._path, writer=self._writer, synchronous=self._synchronous)
            self._current = self._synchronous
            self._opened = connection, Tables(_Session(connection))
        return self._opened

    def sync(self, durable: bool) -> None:
        """Decides whether the next commit forces the log, with all commits before it, to the disk. Raises
        `apsw.Error`."""
        mode: Synchronous = self._synchronous if durable else "normal"
        if self._opened is not None and mode != self._current:
            self._opened[0].execute(f"PRAGMA synchronous = {mode}").fetchall()
            self._current = mode

    def roll_back(self) -> None:
        """Ends a transaction that has failed."""
        if self._opened is None:
            return
        connection = self._opened[0]
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error:
            self.close()

    def close(self) -> None:
        """Closes the connection."""
        if self._opened is not None:
            connection, self._opened = self._opened[0], None
            with suppress(apsw.Error):
                connection.close()


class SqliteStore:
    """`ports.Store` on one SQLite file. Open it with `open_store`."""

    def __init__(self, path: Path, synchronous: Synchronous = "full") -> None:
        self._path = path
        self._synchronous: Synchronous = synchronous
        self._writes: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._closed = False
        self._threads = [threading.Thread(target=self._write_loop, name="sqlite-writer", daemon=True)]
        self._threads += [
            threading.Thread(target=self._read_loop, name=f"sqlite-reader-{number}", daemon=True)
            for number in range(_READERS)
        ]
        for thread in self._threads:
            thread.start()

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        """Runs `work` in a writing transaction, which it may share with other units of the same moment."""
        return await self._submit(self._writes, work, durable)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one consistent view of the store."""
        return await self._submit(self._reads, work)

    async def _submit(
        self, channel: queue.SimpleQueue[_Unit | None], work: Callable[[Tx], Awaitable[T]], durable: bool = False
    ) -> T:
        if self._closed:
            raise UnavailableError("The server is stopping.")
        unit = _Unit(work, asyncio.get_running_loop(), durable)
        channel.put(unit)
        return cast(T, await unit.future)

    async def close(self) -> None:
        """Ends the threads after all submitted units. The last checkpoint leaves an empty WAL."""
        if self._closed:
            return
        self._closed = True
        self._writes.put(None)
        for _ in range(_READERS):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _write_loop(self) -> None:
        line = _Line(self._path, writer=True, synchronous=self._synchronous)
        closing = False
        while not closing:
            group: list[_Unit] = []
            item = self._writes.get()
            while True:
                if item is None:
                    closing = True
                    break
                group.append(item)
                if len(group) >= _GROUP or self._writes.empty():
                    break
                item = self._writes.get()
            if group:
                self._commit(line, group)
                group[0].loop.call_soon_threadsafe(_settle, group)
        line.close()

    @staticmethod
    def _commit(line: _Line, group: list[_Unit]) -> None:
        """Runs every unit in a savepoint of one transaction: a failure undoes only its own unit."""
        try:
            connection, tables = line.open()
            line.sync(any(unit.durable for unit in group))
            connection.execute("BEGIN IMMEDIATE")
            for unit in group:
                _run_unit(connection, tables, unit)
            connection.execute("COMMIT")
        except (apsw.Error, OSError, MemoryError) as error:
            for unit in group:
                unit.error = UnavailableError(f"The database could not write: {error}")
            line.roll_back()

    def _read_loop(self) -> None:
        line = _Line(self._path, writer=False)
        while (unit := self._reads.get()) is not None:
            try:
                connection, tables = line.open()
                connection.execute("BEGIN")
                unit.result = drive(unit.work(tables))
                connection.execute("COMMIT")
            except BaseException as error:
                unit.error = (
                    UnavailableError(f"The database could not read: {error}") if _is_transient(error) else error
                )
                line.roll_back()
            unit.loop.call_soon_threadsafe(unit.settle)
        line.close()


def _reserve_log(path: Path) -> None:
    """Gives a database without a log one of zeros, which SQLite takes for an empty one.

    On some disks, a commit that overwrites is synced faster than one that makes the file grow. Does nothing if the disk
    has no room.
    """
    with suppress(OSError):
        durable.create(path.with_name(f"{path.name}-wal"), bytes(_LOG_PAGES * _LOG_PAGE))


def _copy_before_migration(connection: apsw.Connection, backup: Path) -> None:
    """Copies the database to `backup`, which gets its name when the copy is whole and on the disk. Raises `OSError` and
    `apsw.Error`."""
    partial = backup.with_name(f"{backup.name}.incomplete")
    partial.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(partial),))
    partial.chmod(0o600)
    durable.sync_file(partial)
    partial.replace(backup)
    durable.sync_folder(backup.parent)


def open_store(
    path: Path, *, backup_suffix: str, synchronous: Synchronous = "full", reserve: bool = False, used: str = ""
) -> SqliteStore:
    """Opens or creates (mode 0600) the store at `path`, and brings it to the current schema.

    `used` names something that shows that there was a store before; then no new one is created.
    First copies a store of an older version to `path` + `backup_suffix`. With `synchronous` "normal", a loss of power
    may take the units of the last seconds, although their callers know of them; the rest stays whole. With `reserve`,
    commits are faster from the first one on, and the log takes 8 MB at once.

    Raises `ConfigError` if the store has a newer version, is missing although it was `used`, is not a database, or
    cannot be written.
    """
    lost = ConfigError(
        f"{path} is missing or empty, but {used} shows that this data directory has been used. Restore {path.name} "
        "from a backup (squall restore), or choose another --data-dir to begin anew."
    )
    try:
        if used and (not path.exists() or not path.stat().st_size):
            raise lost
        path.touch(mode=0o600, exist_ok=True)
        connection = _connect(path, writer=True)
        session = _Session(connection)
        version = drive(stored_version(session))
        if used and not version:
            connection.close()
            raise lost
        if version > VERSION:
            raise ConfigError(
                f"{path} was written by a newer Squall (schema {version}, this one reads up to {VERSION}): "
                "run that version, or choose another --data-dir."
            )
        if 0 < version < VERSION:
            _copy_before_migration(connection, path.with_name(path.name + backup_suffix))
        if version < VERSION:
            # A current store is not written: a server starts, and serves what it has, on a disk that is full.
            connection.execute("BEGIN IMMEDIATE")
            drive(migrate(session))
            connection.execute("COMMIT")
        connection.close()
        durable.sync_file(path)
        if reserve and synchronous == "full":
            _reserve_log(path)
    except (apsw.Error, OSError) as error:
        raise ConfigError(f"{path} cannot be used as Squall's database: {error}. Choose another --data-dir.") from error
    return SqliteStore(path, synchronous)


def expects_rows(path: Path) -> bool:
    """Returns whether the store at `path` knows of sealed journals that have a row in the file of seals. Raises
    `ConfigError`."""
    try:
        connection = _connect(path, writer=False)
        try:
            statement = "SELECT 1 FROM journals WHERE place IN (?, ?) LIMIT 1"
            return bool(connection.execute(statement, (ROW, BLOB)).fetchall())
        finally:
            connection.close()
    except apsw.Error as error:
        raise ConfigError(f"{path} cannot be read: {error}. Restore it from a backup (squall restore).") from error
