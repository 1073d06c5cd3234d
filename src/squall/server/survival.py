"""Whether actions would really outlive this server: what starts it may end everything that it has started."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_UNIT = re.compile(r"/([^/]+\.(?:service|scope))(?:/|$)")
_KEEPS = frozenset({"process", "none"})


def complaint(cgroup: str, pid: int, kill_mode: str) -> str | None:
    """What would end the actions with the server, and what to do; None when nothing is known to.

    `cgroup` is the text of `/proc/self/cgroup`, `kill_mode` what the service manager says of the unit in it.
    """
    if pid == 1:
        return (
            "This server is PID 1 of its container, whose end is the end of every action: run it under a small init "
            "(docker run --init), or with --stop-actions."
        )
    unit = unit_of(cgroup)
    if unit is not None and kill_mode and kill_mode not in _KEEPS:
        return (
            f"Actions would be killed when the unit {unit} stops (KillMode={kill_mode}): set KillMode=process and "
            "Delegate=yes in it, or run with --stop-actions."
        )
    return None


def unit_of(cgroup: str) -> str | None:
    """The systemd service that a process with this `/proc/self/cgroup` belongs to; None if to none."""
    found = [name for line in cgroup.splitlines() for name in _UNIT.findall(line.rpartition(":")[2])]
    return next((name for name in reversed(found) if name.endswith(".service")), None)


def look() -> str | None:
    """`complaint` about this process."""
    cgroup = Path("/proc/self/cgroup").read_text()
    unit = unit_of(cgroup)
    return complaint(cgroup, os.getpid(), _kill_mode(unit) if unit is not None else "")


def _kill_mode(unit: str) -> str:
    # Only what a service manager started is told INVOCATION_ID; a shell in a user's session must not be warned.
    if "INVOCATION_ID" not in os.environ:
        return ""
    try:
        told = subprocess.run(
            ["systemctl", "show", "--property=KillMode", "--value", unit],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()
