#!/usr/bin/env -S python3 -I -S
"""Counts down on stdout and stderr in turn; each line begins with the time at which it is written."""

import argparse
import os
import time

NAMES = {1: "stdout", 2: "stderr"}


def now() -> str:
    """The wall clock as 2026-01-01T00:00:00.123456Z."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1000:06d}Z"


def main() -> None:
    """Reads --count and --interval (seconds) and counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--interval", type=float, default=1.0)
    options = parser.parse_args()
    start = time.monotonic()
    for done in range(options.count):
        stream = 1 + done % 2
        os.write(stream, f"{now()} {NAMES[stream]} {options.count - done} of {options.count}\n".encode())
        # Against the start, so that the time a line costs does not add up.
        time.sleep(max(0.0, start + (done + 1) * options.interval - time.monotonic()))
    os.write(1, b"liftoff\n")


main()
