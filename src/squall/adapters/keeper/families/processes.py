"""The processes of an action, from /proc: finds and kills them. Standard library only.

An action's processes are the descendants of its first one, all processes in their sessions, and all processes that
have its marker in the environment. A process that leaves all three (double fork, new session, and a cleaned
environment) is found only if the action has a cgroup of its own (`cgroups`).

Processes of other users were started with sudo, so sudo finds and signals them: `sudo -n grep` on environments that
this user may not read, and `sudo -n kill`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from squall.adapters.keeper.families.cgroups import ActionGroup

MARKER = "SQUALL_ACTION"
"""The environment variable that every process of an action has. Its value is `<execution id>.<attempt>`."""


_NAME = f"{MARKER}=".encode()
_SCANS = 100
_SUDO_WITHIN = 2.0


class Process(NamedTuple):
    """One process. `started` is its start in clock ticks since boot; `pid` and `started` together are unique."""

    pid: int
    parent: int
    session: int
    started: int
    zombie: bool
    cpu_ticks: int


def read_process(pid: int) -> Process | None:
    """Returns a process from /proc; None if there is none with this pid."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command's name may have any characters, so the fields start after its last parenthesis.
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

    `unreadable` are the pids whose environment this user may not read; `own_session` is the session of this process.
    """

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.unreadable: list[int] = []
        self.marked: dict[bytes, set[int]] = {}
        self.sessions: dict[int, set[int]] = {}
        self.children: dict[int, set[int]] = {}
        for name in os.listdir("/proc"):  # noqa: PTH208 - names are all it takes
            if name.isdigit() and (process := read_process(int(name))) is not None:
                self._add(process)
        own_process = self.processes.get(os.getpid())
        self.own_session = own_process.session if own_process is not None else 0

    def _add(self, process: Process) -> None:
        pid = process.pid
        self.processes[pid] = process
        self.sessions.setdefault(process.session, set()).add(pid)
        self.children.setdefault(process.parent, set()).add(pid)
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
        except PermissionError:
            self.unreadable.append(pid)
            return
        except OSError:
            return
        at = environ.find(_NAME)
        while at > 0 and environ[at - 1] != 0:
            at = environ.find(_NAME, at + 1)
        if at >= 0:
            self.marked.setdefault(environ[at : environ.find(b"\0", at)], set()).add(pid)


def _sudo(words: list[str]) -> bytes:
    """Runs a command as root and returns its output; empty if sudo does not allow it. It blocks the caller, so the
    command must be a short one."""
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
    """The processes of one action. It remembers the processes and sessions of earlier scans, so that it recognizes
    their descendants after they have ended.

    `first` is the pid of the action's first process, `started` its start in ticks (0: unknown), `marker` the value of
    its marker, `group` its cgroup if it has one.
    """

    __slots__ = ("_group", "_has_foreign", "_pids", "_sessions", "_token", "first", "started")

    def __init__(self, first: int, started: int, marker: str, group: ActionGroup | None = None) -> None:
        self.first = first
        self._group = group
        self.started = started
        self._token = f"{MARKER}={marker}".encode()
        self._pids: dict[int, int] = {first: started}
        self._sessions: set[int] = set()
        self._has_foreign = False

    def living(self, census: Census) -> set[int]:
        """Returns the pids of its living processes."""
        processes = census.processes
        pids = {pid for pid, started in self._pids.items() if pid in processes and processes[pid].started == started}
        pids |= census.marked.get(self._token, set())
        if self._group is not None:
            pids |= self._group.pids() & processes.keys()
        pids = self._with_relatives(pids, census)
        if self._has_foreign_process(pids, census):
            unreadable = [pid for pid in census.unreadable if pid not in pids]
            pids = self._with_relatives(pids | self._marked_for_root(unreadable, census), census)
        self._sessions |= {processes[pid].session for pid in pids}
        self._pids = {pid: processes[pid].started for pid in pids} or self._pids
        return {pid for pid in pids if not processes[pid].zombie}

    def _with_relatives(self, pids: set[int], census: Census) -> set[int]:
        """Returns `pids` with all their descendants, and all processes in their sessions."""
        # No process in the keeper's own session belongs to the action.
        foreign = {0, census.own_session}
        sessions = self._sessions - foreign
        queue = list(pids.union(*(census.sessions.get(session, ()) for session in sessions)))
        relatives: set[int] = set()
        while queue:
            pid = queue.pop()
            process = census.processes[pid]
            if pid in relatives or process.session in foreign:
                continue
            relatives.add(pid)
            queue += census.children.get(pid, ())
            if process.session not in sessions:
                sessions.add(process.session)
                queue += census.sessions[process.session]
        return relatives

    def _has_foreign_process(self, pids: set[int], census: Census) -> bool:
        """Returns True if one of its processes is, or was, one of another user, whose environment is unreadable."""
        if not self._has_foreign and os.geteuid() != 0:
            self._has_foreign = not pids.isdisjoint(census.unreadable)
        return self._has_foreign

    def _marked_for_root(self, pids: list[int], census: Census) -> set[int]:
        """Returns those of `pids` that have the marker. Root reads their environments."""
        # No process of an action is older than its first process.
        files = [f"/proc/{pid}/environ" for pid in pids if census.processes[pid].started >= self.started]
        if not files:
            return set()
        names = _sudo(["grep", "-slzxF", "-e", self._token.decode(), "--", *files])
        return {int(name.split(b"/")[2]) for name in names.splitlines()}

    def kill_group(self) -> None:
        """Kills the processes in its cgroup, if it has one."""
        if self._group is not None:
            self._group.kill()


def kill_all(families: Sequence[Family], scans: int = _SCANS) -> dict[Family, set[int]]:
    """Kills all processes of families until a scan finds none, with at most `scans` scans. Returns the pids of the last
    scan by family.

    It stops all processes before it kills the first, as a stopped process starts no new one. A scan serves all families
    at once.
    """
    remaining: dict[Family, set[int]] = {}
    for _ in range(scans):
        for family in families:
            family.kill_group()
        census = Census()
        remaining = {family: family.living(census) for family in families}
        pids = set[int]().union(*remaining.values())
        if not pids:
            break
        send_signals(pids, signal.SIGSTOP)
        send_signals(pids, signal.SIGKILL)
    return remaining


def send_signals(pids: set[int], number: int) -> None:
    """Sends a signal to processes. One sudo call signals all those of other users."""
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
