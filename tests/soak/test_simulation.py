"""A thousand simulated schedules for each of SQUALL_SOAK_MINUTES, on all processors, from a seed that is drawn."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

MINUTES = float(os.environ.get("SQUALL_SOAK_MINUTES") or 0)
A_MINUTE = 1_000
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(MINUTES * 600 + 600)


def test_thousands_of_schedules_end_as_the_plain_model_says() -> None:
    seed = int(os.environ.get("SQUALL_FAULT_SEED") or random.randrange(1 << 32))
    processes = os.cpu_count() or 1
    count = max(1, round(MINUTES * A_MINUTE / processes))
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.simulation", str(seed + number * count), str(count)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(processes)
    ]
    outputs = [run.communicate()[0] for run in runs]
    print(f"seed {seed}", *outputs, sep="\n")
    assert all(run.returncode == 0 for run in runs), "\n".join(outputs)
