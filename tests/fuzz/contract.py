"""What a fuzz target is, and the oracle that judges one input: by its exceptions, its processor time and its memory.

A target promises that it raises nothing but its `allowed` errors, whatever the input, and that its cost grows with the
size of the input. Time is processor time, so a busy machine does not matter; an input that seems slow is measured three
times, and the smallest time counts.
"""

from __future__ import annotations

import gc
import resource
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SECONDS_PER_KIB = 0.05
"""The processor time that an input may cost for each KiB of it. Every input may cost as much as one KiB."""
MOST_BYTES = 50 << 20
"""The memory that an input may cost."""
MEASURED = 3

Run = Callable[[bytes], object]


class Target(NamedTuple):
    """A part of Squall that reads bytes from outside. `prepare` returns the function that takes one input; it gets a
    folder that it may use. `allowed` are the errors that the part documents. A fuzzer makes inputs of at most `largest`
    bytes; `words` help it to get past keywords."""

    name: str
    prepare: Callable[[Path], Run]
    allowed: tuple[type[Exception], ...] = ()
    largest: int = 4096
    words: tuple[bytes, ...] = ()


class Cost(NamedTuple):
    """What one input cost: processor time, and the growth of the process' peak memory."""

    seconds: float
    bytes: int


class Finding(NamedTuple):
    """A promise that an input breaks."""

    kind: str
    reason: str


def allowance(size: int) -> float:
    """Returns the seconds of processor time that an input of this size may cost."""
    return SECONDS_PER_KIB * max(1.0, size / 1024)


def measured(target: Target, run: Run, data: bytes) -> tuple[Cost, Finding | None]:
    """Runs the target once. Returns the cost, and the finding if it raised an error that it does not document."""
    peak = _peak()
    start = time.process_time()
    finding = None
    try:
        run(data)
    except target.allowed:
        pass
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error!s:.300} ({where.filename}:{where.lineno})"
        finding = Finding("error", text)
    return Cost(time.process_time() - start, _peak() - peak), finding


def examine(target: Target, run: Run, data: bytes) -> Finding | None:
    """Judges one input: returns the promise that it breaks, or None."""
    cost, finding = measured(target, run, data)
    if finding is not None:
        return finding
    if cost.bytes > MOST_BYTES:
        return Finding("memory", f"{cost.bytes >> 20} MiB for {len(data)} bytes")
    seconds = cost.seconds
    for _ in range(MEASURED - 1):
        if seconds <= allowance(len(data)):
            return None
        gc.collect()
        seconds = min(seconds, measured(target, run, data)[0].seconds)
    if seconds <= allowance(len(data)):
        return None
    return Finding("time", f"{seconds:.3f} s for {len(data)} bytes; {allowance(len(data)):.3f} s are allowed")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
