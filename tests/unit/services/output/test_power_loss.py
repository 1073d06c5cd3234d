"""A loss of power at any moment leaves row and journal in agreement about an end, or a row that makes them agree."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled, output_of, scripted
from tests.doubles.disk import Disk, Told, crashes
from tests.doubles.power_loss import Ended
from tests.doubles.recording import recorded

from squall.core.execution.execution import ExecutionFilter
from squall.core.output import journal
from squall.services.lanes import JOURNAL, UNSYNCED
from squall.services.output.outputs import status_of
from squall.testing.reading import read_all

pytestmark = pytest.mark.anyio
NEXT_BOOT = b"b" * 16
ROUNDS = 5
POINTS = 60


async def record(folder: Path) -> Disk:
    """Executions that print and end one after the other; from time to time, what has ended is sealed."""
    folder.mkdir()
    disk = Disk(folder.resolve())
    with recorded(disk):
        async with assembled(disk.root) as squall:
            for number in range(ROUNDS):
                task, execution, _ = await squall.start()
                scripted(squall).show(output_of(execution), f"line {number}\n".encode())
                scripted(squall).flush(execution.tree)
                await squall.finish(task, execution)
                disk.told(Ended(execution.id, "succeeded", None))
                await squall.journaling.carry()
                if number % 2:
                    await squall.sealing.seal()
    return disk


async def ends(squall: Assembly, tree: str) -> list[str]:
    """The final statuses in a tree's journal."""
    records = await read_all(squall.journal, tree)
    return [status_of(each) for each in records if each.kind == journal.STATUS and status_of(each) != "running"]


async def disagreements(image: Path) -> list[str]:
    """Opens what a loss of power left as a server does after a boot. Returns the executions whose row and journal do
    not agree about the end when all work is done."""
    async with assembled(image, boot=NEXT_BOOT) as squall:
        await squall.journaling.append_again()
        while await squall.journaling.carry():
            pass
        rows = await squall.store.read(lambda tx: tx.executions.find(ExecutionFilter(), None, 0, False))
        ended = [row.tree for row in rows if row.status == "succeeded"]
        return [tree for tree in ended if await ends(squall, tree) != ["succeeded"]]


async def test_after_a_loss_of_power_row_and_journal_agree_about_every_end(tmp_path: Path) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED") or random.randrange(1 << 32))
    rng = random.Random(seed)
    disk = await record(tmp_path / "data")
    told = [at for at, change in enumerate(disk.changes, 1) if isinstance(change, Told)]
    points = sorted({*rng.sample(range(told[0], len(disk.changes) + 1), POINTS), len(disk.changes)})
    wrong: dict[int, list[str]] = {}
    for crash in crashes(disk, points, rng, shares=(0.0, 0.0, 0.5)):
        crash.restore(tmp_path / str(crash.at))
        if trees := await disagreements(tmp_path / str(crash.at)):
            wrong[crash.at] = trees
    assert not wrong, f"seed {seed}"


async def test_the_row_of_a_final_status_stays_until_its_journal_is_sealed(squall: Assembly) -> None:
    execution = await squall.done()
    depths = await squall.store.read(lambda tx: tx.queue.depths())
    assert (depths.get(JOURNAL, 0), depths[UNSYNCED]) == (0, 1)
    assert await squall.sealing.seal() == 1
    assert UNSYNCED not in await squall.store.read(lambda tx: tx.queue.depths())
    assert await ends(squall, execution.tree) == ["succeeded"]


async def test_a_status_that_is_appended_again_is_in_the_journal_once(squall: Assembly) -> None:
    execution = await squall.done()
    assert await squall.journaling.append_again() == 1
    assert await squall.journaling.carry() == 1
    assert await ends(squall, execution.tree) == ["succeeded"]


async def test_an_execution_without_a_journal_leaves_no_row(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.end(task, execution)
    assert UNSYNCED not in await squall.store.read(lambda tx: tx.queue.depths())
