"""Runs schedules: `python -m tests.simulation SEED [COUNT]`. Prints the failures, and how each is repeated."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter

from tests.simulation.schedule import ground, run


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
            if count == 1:
                print(report.plan, report.trace, dict(report.counts))
            if report.complaints:
                failed += 1
                print(f"seed {seed} failed; PYTHONHASHSEED=0 .venv/bin/python -m tests.simulation {seed}")
                for complaint in report.complaints:
                    print(f"  {complaint}")
    print(f"{count} schedules, {failed} failed, {time.monotonic() - began:.1f} s; {dict(totals)}")
    return int(failed > 0)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is part of a schedule.
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
                  os.environ | {"PYTHONHASHSEED": "0"})  # fmt: skip
    sys.exit(main(sys.argv[1:]))
