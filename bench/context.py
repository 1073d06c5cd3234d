"""What every measure is given: how thorough to be, where to put files, and how to take turns."""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

S = TypeVar("S")
F = TypeVar("F")

_WARM = 512 << 20
_LARGE = 1 << 20
_QUIET_SECONDS = 2.0
_QUIET_SHARE = 0.06


class BrokenError(Exception):
    """What was measured did not do its job: bytes are missing, an execution failed, a server did not start."""


class Load(NamedTuple):
    """What else the machine did: the load average of the last minute, and the share of all cores others used."""

    average: float
    elsewhere: float


class Bench:
    """How this run measures. `scratch` is a folder that is gone afterwards.

    `quick` measures less of everything. With `profile` (a file) only Squall is measured, once, and its server writes
    a profile there.
    """

    def __init__(self, scratch: Path, *, quick: bool, profile: Path | None) -> None:
        self.scratch = scratch
        self.quick = quick
        self.profile = profile
        self._rounds = 1 if profile else 2 if quick else 3
        self._made = 0

    def sized(self, full: int, quick: int) -> int:
        """How much of something to do."""
        return quick if self.quick or self.profile else full

    def folder(self, name: str) -> Path:
        """A new empty folder."""
        self._made += 1
        path = self.scratch / f"{name}-{self._made}"
        path.mkdir()
        return path

    def warm(self) -> None:
        """Has memory at hand for the next run, and takes back what the last ones hold in the page cache.

        A virtual machine that returns free memory to its host pays for the first touch of a page ten times what a
        copy costs: without this, whatever runs first after a pause is the fastest by far.
        """
        for path in self.scratch.rglob("*"):
            if path.is_file() and path.stat().st_size > _LARGE:
                descriptor = os.open(path, os.O_RDONLY)
                with contextlib.suppress(OSError):
                    os.fsync(descriptor)
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
        mmap.mmap(-1, _WARM, flags=flags).close()

    def in_turns(
        self, squall: Callable[[], S], floor: Callable[[], F], rounds: int | None = None
    ) -> tuple[list[S], list[F]]:
        """Both, one after the other, round by round, so that a busy minute of the machine hits both.

        When a profile is asked for, the floor is not measured: its list is empty.
        """
        ours: list[S] = []
        theirs: list[F] = []
        for _ in range(1 if self.profile else rounds or self._rounds):
            ours.append(squall())
            if self.profile is None:
                theirs.append(floor())
        return ours, theirs


def median(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return statistics.median(values) if values else None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Machine:
    """Watches what share of the machine is used by anything but this process and its (finished) children."""

    def __init__(self) -> None:
        self._busy, self._own, self._at = _busy_seconds(), _own_seconds(), time.monotonic()

    def load(self) -> Load:
        """Since this object was made."""
        passed = (time.monotonic() - self._at) * (os.cpu_count() or 1)
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return Load(os.getloadavg()[0], max(0.0, others / passed))


def await_quiet(patience: float) -> None:
    """Waits until the machine has been idle for two seconds, at most so many seconds."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        busy, cores = _busy_seconds(), os.cpu_count() or 1
        time.sleep(_QUIET_SECONDS)
        if _busy_seconds() - busy < _QUIET_SHARE * _QUIET_SECONDS * cores:
            return


def _busy_seconds() -> float:
    """CPU time of the whole machine, without idling and waiting for the disk."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )
