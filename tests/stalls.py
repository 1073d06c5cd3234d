"""Finds what holds an event loop: one callback that takes more than `LIMIT` of processor time.

Processor time of the loop's thread, so that a test does not fail because the machine is busy; and the limit grows with
the time that this machine needs for a loop of fixed length at that moment. `measure` works in any process: in that of
the tests, and in the servers that they start (`tests/scenarios/live/measured.py`), which write what they find to the
file that `FILE` names. The body of a test is no callback of Squall's: what it does itself does not count.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Any

LIMIT = 0.1
"""Seconds of processor time that one callback of an event loop may take."""

FILE = "STALL_TEST_FILE"
_BODY = "TestRunner."
_ROUNDS, _REFERENCE = 100_000, 0.0028
"""Rounds of a loop, and the seconds that they take on the machine for which `LIMIT` was chosen."""


def slowness() -> float:
    """How many times slower this machine is now than the one for which `LIMIT` was chosen; at least 1."""

    def seconds() -> float:
        before, total = thread_time(), 0
        for number in range(_ROUNDS):
            total += number & 7
        return thread_time() - before

    return max(1.0, min(seconds() for _ in range(3)) / _REFERENCE)


class Collections:
    """The processor time that garbage collections have taken: those of a test process look at all that pytest has."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = thread_time()
        else:
            self.seconds += thread_time() - self._began


def measure(report: Callable[[str], None], *, collections: bool = True) -> Callable[[], None]:
    """Reports each callback of this process's event loops that is too long. Returns a function that ends this.
    Without `collections`, the time of garbage collections does not count."""
    handle: Any = asyncio.Handle
    real = handle._run
    collected = Collections()

    def run(self: Any) -> None:
        before, excused = thread_time(), collected.seconds
        real(self)
        seconds = thread_time() - before - (collected.seconds - excused)
        if seconds > LIMIT and seconds > LIMIT * slowness():
            report(f"{_name(self._callback)} held its event loop for {seconds * 1000:.0f} ms of processor time")

    def end() -> None:
        handle._run = real
        if not collections:
            gc.callbacks.remove(collected)

    if not collections:
        gc.callbacks.append(collected)
    handle._run = run
    return end


def _name(callback: Any) -> str:
    """The name of a task, with its coroutine, or that of another callback."""
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"{owner.get_name()} ({getattr(owner.get_coro(), '__qualname__', owner.get_coro())})"
    return str(getattr(callback, "__qualname__", callback))


def append(text: str) -> None:
    """Tells the tests that started this process."""
    descriptor = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


class Stalls:
    """The stalls of this process and of its servers since the last look."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self._own: list[str] = []
        os.environ[FILE] = str(file)
        self.end = measure(self._add, collections=False)

    def _add(self, text: str) -> None:
        if _BODY not in text:
            self._own.append(text)

    def new(self) -> list[str]:
        """Those since the last call."""
        own, self._own[:] = list(self._own), []
        if not self._file.exists():
            return own
        with self._file.open() as lines:
            lines.seek(self._read)
            text = lines.read()
            self._read = lines.tell()
        return own + [f"a server: {line}" for line in text.splitlines()]
