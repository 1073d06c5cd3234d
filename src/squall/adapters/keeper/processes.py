"""Processes as /proc shows them: who belongs to an action, and ending all of them. Standard library only.

An action's processes are the descendants of its first one, everything in a session one of them belongs to, and
everything that carries its marker in the environment. A process that leaves all three (double fork, new session, and
a cleaned environment) is not found on a machine without a cgroup of its own for the action.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import NamedTuple

MARKER = "SQUALL_ACTION"
"""The environment variable every process of an action carries: `<execution id>.<attempt>`."""


_SCANS = 100


class Process(NamedTuple):
    """One process: `started` is its start in clock ticks since boot, which with `pid` names it for ever."""

    pid: int
    parent: int
    session: int
    started: int
    zombie: bool
    cpu_ticks: int


def read_process(pid: int) -> Process | None:
    """What /proc tells of a process; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command's name may hold anything, so fields are counted behind its last parenthesis.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20:
        return None
    return Process(
        pid,
        int(fields[1]),
        int(fields[3]),
        int(fields[19]),
        fields[0] in (b"Z", b"X"),
        int(fields[11]) + int(fields[12]),
    )


def all_processes() -> list[Process]:
    """Every process of this machine that this user can see."""
    names = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names are all it takes
    return [found for name in names if (found := read_process(name)) is not None]


def _carries(pid: int, marker: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return marker in file.read().split(b"\0")
    except OSError:
        return False


class Family:
    """The processes of one action. It remembers what it has seen: what those started belongs to it even when they
    themselves are gone.

    `first` is the pid of the action's first process, `started` its start in ticks, `marker` the marker's value.
    """

    def __init__(self, first: int, started: int, marker: str) -> None:
        self.first = first
        self.started = started
        self._token = f"{MARKER}={marker}".encode()
        self._pids: dict[int, int] = {first: started}
        self._sessions: set[int] = set()

    def living(self) -> set[int]:
        """The pids of its living processes, found by one scan of /proc."""
        processes = {process.pid: process for process in all_processes()}
        me = read_process(os.getpid())
        # The keeper's own session is not the action's, whoever is found in it.
        foreign = {0, me.session if me is not None else 0}
        found = {pid for pid, started in self._pids.items() if pid in processes and processes[pid].started == started}
        found |= {pid for pid in processes if pid not in found and _carries(pid, self._token)}
        while True:
            sessions = (self._sessions | {processes[pid].session for pid in found}) - foreign
            grown = found | {p.pid for p in processes.values() if p.parent in found or p.session in sessions}
            if grown == found:
                break
            found = grown
        found = {pid for pid in found if processes[pid].session not in foreign}
        self._sessions |= {processes[pid].session for pid in found}
        self._pids |= {pid: processes[pid].started for pid in found}
        return {pid for pid in found if not processes[pid].zombie}

    def signal(self, number: int) -> set[int]:
        """Signals each of them; gives their pids."""
        found = self.living()
        for pid in found:
            send_signal(pid, number)
        return found

    def kill(self) -> set[int]:
        """Kills all of them, until a scan finds none; gives what is left when that cannot be done.

        All are stopped before the first is killed: what is stopped starts nothing new.
        """
        left: set[int] = set()
        for _ in range(_SCANS):
            left = self.signal(signal.SIGSTOP)
            if not left:
                break
            for pid in left:
                send_signal(pid, signal.SIGKILL)
        return left


def send_signal(pid: int, number: int) -> None:
    """Signals a process; one that runs as another user was started by sudo, and is signalled by it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["sudo", "-n", "kill", f"-{int(number)}", str(pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=1,
                check=False,
            )
