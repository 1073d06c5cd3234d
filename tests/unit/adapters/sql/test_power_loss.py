"""A loss of power at any moment takes nothing that was told: the real store under real services, its writes and syncs
recorded, and the disks that could be left opened as a server opens them. `tests/soak` does so at thousands of moments.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from tests.doubles.disk import Told, crashes
from tests.doubles.power_loss import lost_facts, record

pytestmark = pytest.mark.anyio

POINTS = 50


async def test_a_power_cut_takes_nothing_that_was_told(tmp_path: Path) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED") or random.randrange(1 << 32))
    rng = random.Random(seed)
    disk = await record(tmp_path / "data", 12)
    points = sorted(rng.sample(range(len(disk.changes) + 1), POINTS))
    lost: dict[int, list[object]] = {}
    for crash in crashes(disk, points, rng):
        if missing := await lost_facts(crash, tmp_path / "image"):
            lost[crash.at] = missing
    assert not lost, f"seed {seed}"


async def test_a_store_that_does_not_sync_its_commits_is_found_out(tmp_path: Path) -> None:
    disk = await record(tmp_path / "data", 2, synchronous="normal")
    told = [at for at, change in enumerate(disk.changes, 1) if isinstance(change, Told)]
    (crash,) = crashes(disk, told[-1:], random.Random(1), shares=(0.0,))
    assert await lost_facts(crash, tmp_path / "image")
