"""Runs schedules: `python -m tests.simulation SEED [COUNT]`. Prints the failures, and how each is repeated."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter

from tests.simulation.schedule import Report, ground, run


def main(arguments: list[str]) -> int:
    """Runs COUNT schedules from SEED on. Returns 1 if one of them failed."""
    first, count = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    logging.disable(logging.CRITICAL)
    totals: Counter[str] = Counter()
    failed = 0
    with ground() as on:
        began = time.monotonic()
        for seed in range(first, first + count):
            report = run(seed, on)
            totals.update(report.counts)
            failed += bool(report.complaints)
            _print(report, count == 1)
    happened = ", ".join(f"{value} {name}" for name, value in sorted(totals.items()))
    print(f"{count} schedules, {failed} failed: {happened}")
    if count > 1:
        print(f"{time.monotonic() - began:.1f} s")
    return int(failed > 0)


def _print(report: Report, alone: bool) -> None:
    if alone:
        print(report.plan)
        print(f"trace {report.trace}")
    if report.complaints:
        print(f"seed {report.seed} failed. Repeat it: .venv/bin/python -m tests.simulation {report.seed}")
        for complaint in report.complaints:
            print(f"  {complaint}")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is part of a schedule.
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})
    sys.exit(main(sys.argv[1:]))
