"""Prints lines that hold the time at which they were written: number, CLOCK_MONOTONIC in ns, filling; 100 bytes each.

Run it as `python -I -S clock.py LINES RATE [GATE]`: `RATE` is lines a second; it begins once somebody has opened the
FIFO `GATE` for writing and closed it again.
"""

import os
import sys
import time

LENGTH = 100


def main(lines: int, rate: float, gate: str) -> None:
    """Prints against the start, so that the time a line costs does not add up."""
    if gate:
        with open(gate, "rb") as waiting:
            waiting.read()
    start = time.monotonic() + 0.05
    for number in range(lines):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        line = b"%07d %d " % (number, time.monotonic_ns())
        os.write(1, line.ljust(LENGTH - 1, b"x") + b"\n")


main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
