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
from collections.abc import Sequence
from typing import NamedTuple

from squall.adapters.keeper.families.cgroups import ActionGroup

MARKER = "SQUALL_ACTION"
"""The environment variable every process of an action carries: `<execution id>.<attempt>`."""


_NAME = f"{MARKER}=".encode()
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


class Census:
    """All processes of this machine that this user can see, from one scan of /proc, which takes about 10 µs for each.

    `secret` are those whose environment this user may not read; `own_session` is this process's.
    """

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.secret: list[int] = []
        self.marked: dict[bytes, set[int]] = {}
        self.sessions: dict[int, set[int]] = {}
        self.children: dict[int, set[int]] = {}
        for name in os.listdir("/proc"):  # noqa: PTH208 - names are all it takes
            if name.isdigit() and (found := read_process(int(name))) is not None:
                self._add(found)
        me = self.processes.get(os.getpid())
        self.own_session = me.session if me is not None else 0

    def _add(self, process: Process) -> None:
        pid = process.pid
        self.processes[pid] = process
        self.sessions.setdefault(process.session, set()).add(pid)
        self.children.setdefault(process.parent, set()).add(pid)
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
        except PermissionError:
            self.secret.append(pid)
            return
        except OSError:
            return
        at = environ.find(_NAME)
        while at > 0 and environ[at - 1] != 0:
            at = environ.find(_NAME, at + 1)
        if at >= 0:
            self.marked.setdefault(environ[at : environ.find(b"\0", at)], set()).add(pid)


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

    `first` is the pid of the action's first process, `started` its start in ticks (0: not known), `marker` the marker's
    value, `group` its cgroup if it has one.
    """

    __slots__ = ("_group", "_others", "_pids", "_sessions", "_token", "first", "started")

    def __init__(self, first: int, started: int, marker: str, group: ActionGroup | None = None) -> None:
        self.first = first
        self._group = group
        self.started = started
        self._token = f"{MARKER}={marker}".encode()
        self._pids: dict[int, int] = {first: started}
        self._sessions: set[int] = set()
        self._others = False

    def living(self, census: Census) -> set[int]:
        """The pids of its processes that live."""
        processes = census.processes
        found = {pid for pid, started in self._pids.items() if pid in processes and processes[pid].started == started}
        found |= census.marked.get(self._token, set())
        if self._group is not None:
            found |= self._group.pids() & processes.keys()
        found = self._grow(found, census)
        if self._has_others(found, census):
            found = self._grow(
                found | self._ask_root([pid for pid in census.secret if pid not in found], census), census
            )
        self._sessions |= {processes[pid].session for pid in found}
        self._pids = {pid: processes[pid].started for pid in found} or self._pids
        return {pid for pid in found if not processes[pid].zombie}

    def _grow(self, found: set[int], census: Census) -> set[int]:
        """`found` with all descendants, and all that is in a session of one of them."""
        # The keeper's own session is not the action's, whoever is found in it.
        foreign = {0, census.own_session}
        sessions = self._sessions - foreign
        fresh = list(found.union(*(census.sessions.get(session, ()) for session in sessions)))
        grown: set[int] = set()
        while fresh:
            pid = fresh.pop()
            process = census.processes[pid]
            if pid in grown or process.session in foreign:
                continue
            grown.add(pid)
            fresh += census.children.get(pid, ())
            if process.session not in sessions:
                sessions.add(process.session)
                fresh += census.sessions[process.session]
        return grown

    def _has_others(self, found: set[int], census: Census) -> bool:
        """Whether one of its processes is, or was, another user's, whose environment this user may not read."""
        if not self._others and os.geteuid() != 0:
            self._others = not found.isdisjoint(census.secret)
        return self._others

    def _ask_root(self, pids: list[int], census: Census) -> set[int]:
        """Those of `pids` that carry the marker, as root sees them."""
        # Nothing of an action is older than its first process.
        files = [f"/proc/{pid}/environ" for pid in pids if census.processes[pid].started >= self.started]
        if not files:
            return set()
        told = _sudo(["grep", "-slzxF", "-e", self._token.decode(), "--", *files])
        return {int(line.split(b"/")[2]) for line in told.splitlines()}

    def kill_group(self) -> None:
        """Kills what is in its cgroup, if it has one."""
        if self._group is not None:
            self._group.kill()


def kill_all(families: Sequence[Family], scans: int = _SCANS) -> dict[Family, set[int]]:
    """Kills all processes of these, until a scan finds none, at most so many times; gives what is left of each.

    All are stopped before the first is killed: what is stopped starts nothing new. One scan is enough for all of them.
    """
    left: dict[Family, set[int]] = {}
    for _ in range(scans):
        for family in families:
            family.kill_group()
        census = Census()
        left = {family: family.living(census) for family in families}
        found = set[int]().union(*left.values())
        if not found:
            break
        send_signals(found, signal.SIGSTOP)
        send_signals(found, signal.SIGKILL)
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
