"""The launchers, and the journal of files that reads what they write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper import children
from squall.adapters.keeper.inserver import InServerLauncher
from squall.adapters.keeper.remote import KeeperLauncher
from squall.ports import Journal, Launcher


@pytest.fixture(params=["in the server", "keeper"])
async def launcher(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Launcher]:
    made: InServerLauncher | KeeperLauncher
    if request.param == "keeper":
        made = KeeperLauncher(tmp_path / "keepers", tmp_path / "journals", SystemClock(), floor=0, fsync_seconds=0.05)
        await made.start()
    else:
        # The keeper is tested with the times that people get; once is enough.
        monkeypatch.setattr(children, "_KILL_AFTER", 1.0)
        monkeypatch.setattr(children, "_LINGER_MOST", 1.0)
        made = InServerLauncher(tmp_path / "journals", SystemClock(), floor=0, fsync_seconds=0.05)
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
