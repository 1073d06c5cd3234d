"""Checks whether actions would outlive this server. A service manager or container may kill them with it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_UNIT = re.compile(r"/([^/]+\.(?:service|scope))(?:/|$)")
_KEEPS = frozenset({"process", "none"})


def complaint(cgroup: str, pid: int, kill_mode: str) -> str | None:
    """Returns a warning that names what would end the actions with the server, and the remedy; None if there is none.

    `cgroup` is the text of `/proc/self/cgroup`, `kill_mode` the service manager's KillMode of the unit in it.
    """
    if pid == 1:
        return (
            "This server is PID 1 of its container: when it ends, every action ends. Run it under a small init "
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
    """Returns the systemd service in the text of a process's `/proc/self/cgroup`; None if there is none."""
    units = [name for line in cgroup.splitlines() for name in _UNIT.findall(line.rpartition(":")[2])]
    return next((name for name in reversed(units) if name.endswith(".service")), None)


def check() -> str | None:
    """Returns the `complaint` about this process."""
    cgroup = Path("/proc/self/cgroup").read_text()
    unit = unit_of(cgroup)
    return complaint(cgroup, os.getpid(), _kill_mode(unit) if unit is not None else "")


def _kill_mode(unit: str) -> str:
    # A service manager sets INVOCATION_ID. A server that a user starts from a shell must get no warning.
    if "INVOCATION_ID" not in os.environ:
        return ""
    try:
        result = subprocess.run(
            ["systemctl", "show", "--property=KillMode", "--value", unit],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()
