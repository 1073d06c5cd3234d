"""Creates the adapters of a server for its settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import NamedTuple, Protocol

from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.bus.inproc import DeafBus, InProcessBus
from squall.adapters.clock import SystemClock
from squall.adapters.evaluation.processes import EvaluationProcesses
from squall.adapters.journal.archive import FileArchive
from squall.adapters.journal.files import FileJournal
from squall.adapters.journal.lines.workers import LineWorkers
from squall.adapters.journal.sources import Sources
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.adapters.marks.file import FileMarks
from squall.adapters.marks.store import MarkedStore
from squall.adapters.sql.output.seals import SqliteSeals
from squall.assembly import arguments, key_files
from squall.assembly.databases import open_database
from squall.config import Settings
from squall.core.expr.bounds.evaluator import Evaluator
from squall.ports import Archive, Bus, Clock, Journal, Launcher, Lines, Marks, Store, Vault
from squall.server import datadir, evaluator, linereader


class Role(Protocol):
    """A part of the server that works until it is cancelled."""

    async def run(self) -> None:
        """Works until cancelled."""
        ...


class Outside(NamedTuple):
    """The adapters that the services use, as ports.

    `identity` is the name under which this server holds leases. `start` finds the processes of an earlier server,
    `role` works as long as the server runs, and `close` closes all adapters.
    """

    identity: str
    marks: Marks
    store: Store
    bus: Bus
    clock: Clock
    vault: Vault
    journal: Journal
    archive: Archive
    launcher: Launcher
    lines: Lines
    evaluator: Evaluator
    start: Callable[[], Coroutine[None, None, None]]
    role: Role
    close: Callable[[], Awaitable[None]]


def outside(settings: Settings) -> Outside:
    """Creates the adapters for the settings. Raises `ConfigError` if the database or the key file is unusable."""
    home = settings.server.data_dir
    variables = arguments.environments(settings)
    clock = SystemClock()
    journals, rows = home / "journals", SqliteSeals(home / "seals.db")
    storage = settings.storage
    blobs = BlobPlace.below(home, storage.blobs, storage.blobs_endpoint, storage.blobs_region)
    sources = Sources(journals, rows, blobs)
    archive = FileArchive(journals, rows, sources, blobs=blobs)
    marks = FileMarks(home / "server.marks")
    store = MarkedStore(open_database(home, rows, clock.now(), settings.database.synchronous), marks)
    vault = key_files.vault(settings)
    journal = FileJournal(journals, sources)
    lines = LineWorkers(partial(linereader.start, home, blobs, variables.lines))
    evaluation = EvaluationProcesses(partial(evaluator.start, variables.lines), settings.workflow.expression_seconds)
    launcher = KeeperLauncher(
        home / "keepers",
        journals,
        clock,
        floor=settings.journal.free_space_floor_bytes,
        fsync_seconds=settings.journal.fsync_seconds,
        open_tree=archive.open,
        release_tree=archive.release,
        cgroup=settings.actionrunner.cgroup,
        most=settings.actionrunner.keepers or os.cpu_count() or 1,
        environment=variables.keeper,
    )

    async def close() -> None:
        lines.close()
        await asyncio.to_thread(evaluation.close)
        journal.close()
        await asyncio.to_thread(archive.close)
        await store.close()

    return Outside(
        identity=datadir.identity(home),
        marks=marks,
        store=store,
        bus=DeafBus() if settings.bus.kind == "deaf" else InProcessBus(),
        clock=clock,
        vault=vault,
        journal=journal,
        archive=archive,
        launcher=launcher,
        lines=lines,
        evaluator=evaluation,
        start=launcher.start,
        role=launcher,
        close=close,
    )
