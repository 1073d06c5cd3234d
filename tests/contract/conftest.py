"""The launcher that keeps actions in a process of their own, and the journal of files that reads what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.doubles.journals import Kept

from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.ports import Journal, Launcher


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """The journals of the launcher, and their archive."""
    made = Kept(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def keeper(tmp_path: Path, kept: Kept) -> AsyncIterator[Launcher]:
    made = KeeperLauncher(
        tmp_path / "keepers",
        kept.root,
        SystemClock(),
        floor=0,
        fsync_seconds=0.05,
        open_tree=kept.archive.open,
        release_tree=kept.archive.release,
    )
    await made.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


@pytest.fixture
def launcher(keeper: Launcher) -> Launcher:
    return keeper


@pytest.fixture
async def files(kept: Kept) -> AsyncIterator[FileJournal]:
    made = kept.journal()
    yield made
    made.close()


@pytest.fixture
def journal(files: FileJournal) -> Journal:
    return files
