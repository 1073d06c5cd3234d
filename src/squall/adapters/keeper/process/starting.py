"""Making an action's process: its session, pipes or terminal, environment, umask and limits. Standard library only.

Always by vfork, which costs the same however much memory the keeper has: so nothing here runs between fork and exec.
Python's `umask=` keeps to that. Limits are set by `prlimit` (util-linux), which then becomes the action: before the
action begins, and also for one that sudo makes another user. A process that is to have a cgroup stops itself in a shell
before it becomes the action: what it would start before it is in the cgroup could leave.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Final

from squall.adapters.keeper.families.cgroups import ActionGroup
from squall.adapters.keeper.families.processes import MARKER
from squall.core.execution.process import LaunchSpec

LIMITS: Final = {
    "open_files": ("nofile", resource.RLIMIT_NOFILE),
    "processes": ("nproc", resource.RLIMIT_NPROC),
    "memory_bytes": ("as", resource.RLIMIT_AS),
    "file_bytes": ("fsize", resource.RLIMIT_FSIZE),
    "cpu_seconds": ("cpu", resource.RLIMIT_CPU),
}
"""Limits by the names that specs use: prlimit's names, and the kernel's."""

# A session's first process that opens a terminal gets it as its own; a shell opens it, then becomes the command.
_ON_TERMINAL: Final = 't=$1; shift; exec "$@" <>"$t" >&0 2>&0'
_STOPPED: Final = "kill -STOP $$; "
_PLAIN: Final = 'exec "$@"'
# Shells do not pass on what they could not name themselves.
_NAMED_BY_SHELLS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_STOPS_WITHIN: Final = 2.0
_LOOK_AGAIN: Final = 0.0003


def start(
    spec: LaunchSpec, terminal: tuple[int, int] | None, group: ActionGroup | None, pass_on: Mapping[str, int]
) -> subprocess.Popen[bytes]:
    """The process of an action, on `terminal` (master, slave) if there is one, in the cgroup `group` if there is one.

    It inherits the descriptors `pass_on`, whose numbers it is told by environment variables of these names. Raises
    `OSError` and `ValueError`.
    """
    env = {**spec.env, MARKER: marker(spec), **{name: str(fd) for name, fd in pass_on.items()}}
    argv = [*_limited(spec.limits), *spec.argv]
    words: list[str] = []
    if terminal is not None:
        env = {"TERM": "xterm", **env}
        words = [_ON_TERMINAL, "sh", os.ttyname(terminal[1])]
    elif group is not None:
        _find(spec)
        words = [_PLAIN, "sh"]
    if group is not None:
        words[0] = _STOPPED + words[0]
    if words:
        odd = [f"{name}={value}" for name, value in env.items() if not _NAMED_BY_SHELLS.fullmatch(name)]
        argv = ["/bin/sh", "-c", *words, *(["env", *odd] if odd else []), *argv]
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE if spec.stdin is not None and terminal is None else nothing,
        stdout=subprocess.PIPE if terminal is None else nothing,
        stderr=subprocess.PIPE if terminal is None else nothing,
        env=env,
        cwd=spec.cwd,
        umask=-1 if spec.umask is None else spec.umask,
        start_new_session=True,
        pass_fds=tuple(pass_on.values()),
        bufsize=0,
    )
    if group is not None:
        _enter(process.pid, group)
    return process


def _enter(pid: int, group: ActionGroup) -> None:
    """Waits until a process has stopped itself, moves it into its cgroup, and lets it go on."""
    until = time.monotonic() + _STOPS_WITHIN
    while time.monotonic() < until:
        if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            break
        time.sleep(_LOOK_AGAIN)
    with contextlib.suppress(OSError):
        # Without its cgroup it is known as all are on a machine that has none.
        group.take(pid)
    os.kill(pid, signal.SIGCONT)


def _find(spec: LaunchSpec) -> None:
    """Sees to it that the program is there before a shell is asked to become it. Raises `OSError`."""
    name = spec.argv[0]
    folders = [""] if "/" in name else os.get_exec_path(spec.env)
    if not any(os.access(os.path.join(spec.cwd or "", folder, name), os.X_OK) for folder in folders):  # noqa: PTH118
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def marker(spec: LaunchSpec) -> str:
    """What every process of an action carries in its environment."""
    return f"{spec.unit}.{spec.attempt}"


def _limited(limits: dict[str, int] | None) -> list[str]:
    """The words before a command that start it under limits. Raises `OSError` and `ValueError`."""
    if not limits:
        return []
    # Where the keeper's own PATH has it: the action's may be anything.
    places = [os.path.join(folder, "prlimit") for folder in os.get_exec_path()]  # noqa: PTH118 - text for argv
    program = next((place for place in places if os.access(place, os.X_OK)), None)
    if program is None:
        raise FileNotFoundError(2, "limits need prlimit, of the package util-linux", "prlimit")
    words = [program]
    for name, wanted in limits.items():
        if name not in LIMITS:
            raise ValueError(f"there is no limit {name!r}; there are {', '.join(LIMITS)}")
        option, number = LIMITS[name]
        # Only root may go beyond what this process is limited to itself.
        most = resource.getrlimit(number)[1]
        value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        words.append(f"--{option}={value}:{value}")
    return [*words, "--"]
