"""Losses of power at thousands of moments of real services over a real store: at every change around what was told, and
with checkpoints of the database, for SQUALL_SOAK_MINUTES but at least 2,000 crash points."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.doubles.disk import Disk, Told, crashes
from tests.doubles.power_loss import lost_facts, record

MINUTES = float(os.environ.get("SQUALL_SOAK_MINUTES") or 0)
LEAST = 2_000
A_RECORD = 500

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(MINUTES * 60 + 1_800)]


async def test_thousands_of_power_cuts_take_nothing_that_was_told(tmp_path: Path) -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED") or random.randrange(1 << 32))
    rng = random.Random(seed)
    over = time.monotonic() + MINUTES * 60 / 4
    points = number = 0
    while points < LEAST or time.monotonic() < over:
        number += 1
        # Long results make the log of the database long enough for checkpoints.
        disk = await record(tmp_path / f"data-{number}", 24, payload=rng.choice((64, 64, 5_000, 150_000)))
        for crash in crashes(disk, _points(disk, rng), rng):
            points += 1
            lost = await lost_facts(crash, tmp_path / "image")
            assert not lost, f"seed {seed}, record {number}, change {crash.at}"
    print(f"{points} losses of power, seed {seed}")


def _points(disk: Disk, rng: random.Random) -> list[int]:
    """Returns moments: half of them right behind something told, where a missing sync shows."""
    told = [at for at, change in enumerate(disk.changes, 1) if isinstance(change, Told)]
    any_time = rng.choices(range(len(disk.changes) + 1), k=A_RECORD // 2)
    return sorted([*any_time, *rng.choices(told, k=A_RECORD // 2)])
