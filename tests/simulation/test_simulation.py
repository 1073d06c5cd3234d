"""A few simulated schedules of Squall's own services and roles; `make soak` runs thousands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def simulated(*arguments: str) -> tuple[int, str]:
    """Returns exit status and output of a run of schedules, which needs an interpreter whose sets have one order."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_schedules_with_faults_end_as_the_plain_model_says() -> None:
    status, output = simulated("1", "25")
    assert status == 0, output
    assert "25 schedules, 0 failed" in output


def test_a_seed_repeats_every_event_and_every_byte_of_its_schedule() -> None:
    first, again = simulated("48"), simulated("48")
    assert "trace" in first[1]
    assert first == again


def test_another_seed_is_another_schedule() -> None:
    assert simulated("48") != simulated("49")
