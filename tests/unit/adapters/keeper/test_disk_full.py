"""A disk that is really full: a small file system in memory, where one may be mounted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.journal.files import FileJournal
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.testing.reading import printed, read_all
from squall.testing.samples import sample_id, shell_spec
from squall.testing.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")]

SIZE = 512 << 10


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def launcher(small: Path, tmp_path: Path) -> AsyncIterator[KeeperLauncher]:
    (small / "journals").mkdir()
    made = KeeperLauncher(tmp_path / "keepers", small / "journals", SystemClock(), floor=0, fsync_seconds=0.05)
    await made.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


@contextlib.contextmanager
def filled(folder: Path, leaving: int) -> Iterator[None]:
    """Takes all of the disk but `leaving` bytes, until the block ends."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(filler, max(0, filler.stat().st_size - leaving))
    yield
    filler.unlink()


@pytest.mark.parametrize("leaving", [0, 4096, 8192, 100_000])
async def test_a_full_disk_holds_an_action_back_and_loses_nothing(
    launcher: KeeperLauncher, small: Path, tmp_path: Path, leaving: int, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bytes").write_bytes(os.urandom(200_000))
    journal = FileJournal(small / "journals")
    spec = shell_spec(f"cat {tmp_path}/bytes; echo done >&2; exit 3")
    with filled(small, leaving):
        await launcher.spawn(spec)
        await eventually(lambda: "an execution waits" in caplog.text, "it waits for the disk")
        assert "waits for the disk" in launcher.waiting(spec.execution)
    async with asyncio.timeout(PATIENCE):
        end = await launcher.ended(spec.execution)
    records = await read_all(journal, sample_id(1))
    assert printed(records, "stdout") == (tmp_path / "bytes").read_bytes()
    assert printed(records, "stderr") == b"done\n"
    assert (end.exit_code, end.stdout_bytes, end.stderr_bytes) == (3, 200_000, 5)
    journal.close()


async def test_a_full_disk_stops_no_action_that_prints_nothing(launcher: KeeperLauncher, small: Path) -> None:
    with filled(small, 0):
        await launcher.spawn(shell_spec("exit 4"))
        async with asyncio.timeout(PATIENCE):
            assert (await launcher.ended(sample_id(1))).exit_code == 4


async def test_an_action_that_waits_for_the_disk_can_be_canceled(
    launcher: KeeperLauncher, small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = shell_spec("head -c 100000 /dev/zero; sleep 60")
    with filled(small, 0):
        await launcher.spawn(spec)
        await eventually(lambda: "an execution waits" in caplog.text, "it waits for the disk")
        await launcher.cancel(spec.execution)
    async with asyncio.timeout(PATIENCE):
        assert (await launcher.ended(spec.execution)).canceled
