"""A store in memory: Squall's own tables and statements over SQLite, without threads and files.

Each unit of work runs at once and alone, some time after its caller asked for it; the caller learns of the commit some
time later. A loss of power takes commits that were not durable, together with all later ones.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import apsw
from tests.simulation.loop import VirtualLoop

from squall.adapters.sql.migrations import migrate
from squall.adapters.sql.sqlite import _Session, drive
from squall.adapters.sql.tables import Tables
from squall.core.errors import UnavailableError
from squall.ports import Tx

T = TypeVar("T")


def empty_database() -> bytes:
    """Returns a database with all tables and no rows."""
    connection = _connected(b"")
    connection.execute("BEGIN")
    drive(migrate(_Session(connection)))
    connection.execute("COMMIT")
    return connection.serialize("main")


def _connected(image: bytes) -> apsw.Connection:
    connection = apsw.Connection(":memory:", statementcachesize=256)
    if image:
        connection.deserialize("main", image)
    connection.execute("PRAGMA journal_mode = MEMORY").fetchall()
    connection.execute("PRAGMA synchronous = OFF").fetchall()
    return connection


class Disk:
    """The database file of a simulated machine. It outlives the servers; `errors` is the share of units that the
    machine refuses. With `loses_power`, it remembers what a loss of power may leave."""

    def __init__(self, image: bytes, *, loses_power: bool = False) -> None:
        self._loses_power = loses_power
        self._kept: bytes | None = None
        self.errors = 0.0
        self.commits = 0
        self._open(image)

    def _open(self, image: bytes) -> None:
        self.connection = _connected(image)
        self.tables: Tx = Tables(_Session(self.connection))

    def unit(self, work: Callable[[Tx], Awaitable[T]], *, write: bool, durable: bool) -> T:
        """Runs one unit of work. Raises what it raises, and then leaves nothing of it."""
        before = self.connection.serialize("main") if self._loses_power and write and self._kept is None else None
        self.connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            result = drive(work(self.tables))
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        if write:
            self.commits += 1
            self._kept = None if durable else self._kept or before
        return result

    def lose_power(self, rng: random.Random) -> None:
        """Goes back to the last durable commit, or stays as it is: both are what a disk may hold."""
        if self._kept is not None and rng.random() < 0.7:
            self._open(self._kept)
        self._kept = None


class MemoryStore:
    """`ports.Store` of one server over the disk. `on_commit` is called behind each commit, before its caller learns of
    it: there a server may be killed."""

    def __init__(
        self, disk: Disk, rng: random.Random, loop: VirtualLoop, on_commit: Callable[[], Awaitable[None]]
    ) -> None:
        self._disk = disk
        self._rng = rng
        self._loop = loop
        self._on_commit = on_commit

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        """Runs `work` in a writing transaction."""
        await self._wait()
        self._may_fail("write")
        try:
            result = self._disk.unit(work, write=True, durable=durable)
        finally:
            await self._on_commit()
        await self._wait()
        return result

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one view of the store."""
        await self._wait()
        self._may_fail("read")
        result = self._disk.unit(work, write=False, durable=False)
        await self._wait()
        return result

    async def close(self) -> None:
        """There is nothing to close."""

    def _may_fail(self, verb: str) -> None:
        if self._disk.errors and self._rng.random() < self._disk.errors:
            raise UnavailableError(f"The database could not {verb}: simulated")

    async def _wait(self) -> None:
        # A thread that waits for the store holds the loop: see `VirtualLoop.call_soon_threadsafe`.
        if self._loop.in_job:
            return
        draw = self._rng.random()
        if draw < 0.4:
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(0.0005 if draw < 0.9 else draw * draw * 0.2)
