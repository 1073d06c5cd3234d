"""The launcher that keeps actions in a process of their own, and the journal of files that reads what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.remote import KeeperLauncher
from squall.ports import Journal, Launcher


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[Launcher]:
    made = KeeperLauncher(tmp_path / "keepers", tmp_path / "journals", SystemClock(), floor=0, fsync_seconds=0.05)
    await made.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    (tmp_path / "journals").mkdir(exist_ok=True)
    made = FileJournal(tmp_path / "journals")
    yield made
    made.close()
