"""Processes as /proc shows them: who belongs to an action, and ending all of them. Standard library only.

An action's processes are the descendants of its first one, everything in a session one of them belongs to, and
everything that carries its marker in the environment. A process that leaves all three (double fork, new session, and
a cleaned environment) is only found where the action has a cgroup of its own (`cgroups`).

What runs as another user was started by sudo, and is looked at and signalled by it: `sudo -n grep` on environments
that this user may not read, `sudo -n kill`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import NamedTuple

from squall.adapters.keeper.cgroups import ActionGroup

MARKER = "SQUALL_ACTION"
"""The environment variable every process of an action carries: `<execution id>.<attempt>`."""


_SCANS = 100
_SUDO_WITHIN = 2.0


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


def _carries(pid: int, marker: bytes) -> bool | None:
    """Whether a process has the marker in its environment; None if this user may not know."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return marker in file.read().split(b"\0")
    except PermissionError:
        return None
    except OSError:
        return False


def _sudo(words: list[str]) -> bytes:
    """What a command prints as root; nothing when that is not allowed. The caller waits: it must be a short one."""
    try:
        return subprocess.run(
            ["sudo", "-n", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SUDO_WITHIN,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""


class Family:
    """The processes of one action. It remembers what it has seen: what those started belongs to it even when they
    themselves are gone.

    `first` is the pid of the action's first process, `started` its start in ticks, `marker` the marker's value, `group`
    its cgroup if it has one.
    """

    def __init__(self, first: int, started: int, marker: str, group: ActionGroup | None = None) -> None:
        self.first = first
        self._group = group
        self.started = started
        self._token = f"{MARKER}={marker}".encode()
        self._pids: dict[int, int] = {first: started}
        self._sessions: set[int] = set()
        self._others = False

    def living(self) -> set[int]:
        """The pids of its living processes, found by one scan of /proc."""
        processes = {process.pid: process for process in all_processes()}
        me = read_process(os.getpid())
        # The keeper's own session is not the action's, whoever is found in it.
        foreign = {0, me.session if me is not None else 0}
        found = {pid for pid, started in self._pids.items() if pid in processes and processes[pid].started == started}
        carries = {pid: _carries(pid, self._token) for pid in processes if pid not in found}
        found |= {pid for pid, carried in carries.items() if carried}
        if self._group is not None:
            found |= self._group.pids() & processes.keys()
        found = self._grow(found, processes, foreign)
        if self._has_others(found):
            secret = [pid for pid, carried in carries.items() if carried is None and pid not in found]
            found = self._grow(found | self._ask_root(secret, processes), processes, foreign)
        found = {pid for pid in found if processes[pid].session not in foreign}
        self._sessions |= {processes[pid].session for pid in found}
        self._pids |= {pid: processes[pid].started for pid in found}
        return {pid for pid in found if not processes[pid].zombie}

    def _grow(self, found: set[int], processes: dict[int, Process], foreign: set[int]) -> set[int]:
        """`found` with all descendants, and all that is in a session of one of them."""
        while True:
            sessions = (self._sessions | {processes[pid].session for pid in found}) - foreign
            grown = found | {p.pid for p in processes.values() if p.parent in found or p.session in sessions}
            if grown == found:
                return found
            found = grown

    def _has_others(self, found: set[int]) -> bool:
        """Whether one of its processes is, or was, another user's, whose environment this user may not read."""
        if not self._others and os.geteuid() != 0:
            self._others = any(_carries(pid, self._token) is None for pid in found)
        return self._others

    def _ask_root(self, pids: list[int], processes: dict[int, Process]) -> set[int]:
        """Those of `pids` that carry the marker, as root sees them."""
        # Nothing of an action is older than its first process.
        files = [f"/proc/{pid}/environ" for pid in pids if processes[pid].started >= self._pids[self.first]]
        if not files:
            return set()
        told = _sudo(["grep", "-slzxF", "-e", self._token.decode(), "--", *files])
        return {int(line.split(b"/")[2]) for line in told.splitlines()}

    def signal(self, number: int) -> set[int]:
        """Signals each of them; gives their pids."""
        found = self.living()
        send_signals(found, number)
        return found

    def kill(self) -> set[int]:
        """Kills all of them, until a scan finds none; gives what is left when that cannot be done.

        All are stopped before the first is killed: what is stopped starts nothing new.
        """
        left: set[int] = set()
        for _ in range(_SCANS):
            if self._group is not None:
                self._group.kill()
            left = self.signal(signal.SIGSTOP)
            if not left:
                break
            send_signals(left, signal.SIGKILL)
        return left


def send_signals(pids: set[int], number: int) -> None:
    """Signals processes; those of other users through sudo, all with one call."""
    refused = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            refused.append(str(pid))
    if refused:
        _sudo(["kill", f"-{int(number)}", *refused])
