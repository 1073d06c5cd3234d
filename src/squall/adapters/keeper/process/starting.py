"""Making an action's process: its session, pipes or terminal, environment, umask and limits. Standard library only.

Always by vfork, which costs the same however much memory the keeper has: so nothing here runs between fork and exec.
Python's `umask=` keeps to that. Limits are set by `prlimit` (util-linux), which then becomes the action: before the
action begins, and also for one that sudo makes another user. A process that is to have a cgroup stops itself in a shell
before it becomes the action: what it would start before it is in the cgroup could leave.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

from squall.adapters.keeper.families.cgroups import ActionGroup, ActionGroups
from squall.adapters.keeper.families.processes import MARKER
from squall.adapters.keeper.process.child import Child, Loop
from squall.adapters.keeper.process.descriptors import Descriptors, pipe_of
from squall.adapters.keeper.process.forks import Ends, Forks
from squall.adapters.keeper.process.life import State
from squall.adapters.keeper.process.pump import Pump
from squall.core import ERRNOS
from squall.core.execution.process import LaunchSpec
from squall.core.output import journal
from squall.core.output.tagged import RECORDS_FD, RESULT_FD

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
_PIPE_SIZE: Final = 1 << 20
_INPUT_SIZE: Final = 1 << 16
_STOPS_WITHIN: Final = 2.0
_LOOK_AGAIN: Final = 0.0003
_START_AGAIN: Final = 0.5


def start(
    spec: LaunchSpec,
    terminal: tuple[int, int] | None,
    group: ActionGroup | None,
    pass_on: Mapping[str, int],
    streams: tuple[int, int] = (subprocess.PIPE, subprocess.PIPE),
) -> subprocess.Popen[bytes]:
    """The process of an action, on `terminal` (master, slave) if there is one, in the cgroup `group` if there is one.

    Its output and errors are the descriptors `streams`, if there is no terminal. It inherits the descriptors `pass_on`,
    whose numbers it is told by environment variables of these names. Raises `OSError` and `ValueError`.
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
        stdout=streams[0] if terminal is None else nothing,
        stderr=streams[1] if terminal is None else nothing,
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


def _limited(limits: dict[str, int]) -> list[str]:
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


def order_of(spec: LaunchSpec, environment: dict[str, str]) -> bytes:
    """What a forked process reads: the setting that a started one gets from its start, a newline, then its input."""
    limits = [[int(LIMITS[name][1]), value] for name, value in spec.limits.items()]
    setting = {"env": environment, "cwd": spec.cwd, "umask": spec.umask, "limits": limits}
    return json.dumps(setting).encode() + b"\n" + (spec.stdin or b"")


class Starter:
    """Starts children: through a fork server where there is one, else from nothing. It attaches their pipes to `pump`.

    `on_start(child, pid, pidfd)` is called when the process is there, maybe later; `on_failure(child)` when it could
    not be started, with `child.error` set. `results` is the folder of result files.
    """

    def __init__(
        self,
        loop: Loop,
        groups: ActionGroups,
        results: Path,
        pump: Pump,
        on_start: Callable[[Child, int, int], None],
        on_failure: Callable[[Child], None],
    ) -> None:
        self._loop = loop
        self._groups = groups
        self._results = results
        self._pump = pump
        self._forks = Forks(loop)
        self._on_start = on_start
        self._on_failure = on_failure

    def begin(self, child: Child) -> None:
        """Has the child's process made."""
        if not self._ask_for_fork(child):
            self._start(child)

    def _ask_for_fork(self, child: Child) -> bool:
        """Has a fork server make the process, where one is to and can; false if not."""
        spec = child.spec
        if spec.fork_server is None or spec.result_limit is None or spec.pty is not None:
            return False
        try:
            ends = Ends(spec.tagged)
        except OSError:
            return False
        asked = self._forks.ask(spec.fork_server, ends.theirs, lambda pid: self._forked(child, ends, pid))
        if asked:
            ends.hand_over()
        else:
            ends.close()
        return asked

    def _forked(self, child: Child, ends: Ends, pid: int) -> None:
        """A fork server has answered, or is gone: then the process is started the ordinary way."""
        spec = child.spec
        try:
            pidfd = os.pidfd_open(pid) if pid else -1
        except OSError:
            pidfd = -1
        if pidfd < 0:
            ends.close()
            self._start(child)
            return
        child.group = self._groups.make(marker(spec))
        if child.group is not None:
            with contextlib.suppress(OSError):
                child.group.take(pid)
        stdin, stdout, stderr, result, *records = ends.mine
        order = order_of(spec, {**spec.env, MARKER: marker(spec)})
        self._feed_later(os.fdopen(stdin, "wb", buffering=0), order)
        self._attach(child, stdout, "stdout")
        self._attach(child, stderr, "stderr")
        self._pump.attach_pipe(child, pipe_of(child, RESULT_FD, result, self._results))
        for fd in records:
            self._pump.attach_pipe(child, pipe_of(child, RECORDS_FD, fd, self._results))
        self._on_start(child, pid, pidfd)

    def _start(self, child: Child) -> None:
        """Starts the process. If only the machine is in the way, it waits and tries again: that is no failure."""
        spec = child.spec
        needs: Descriptors | None = None
        try:
            needs = Descriptors(spec)
            child.group = self._groups.make(marker(spec))
            process = start(spec, needs.terminal, child.group, needs.pass_on, needs.streams)
        except (OSError, ValueError, MemoryError) as error:
            if needs is not None:
                needs.close()
            if child.group is not None:
                self._groups.forget(child.group)
                child.group = None
            if isinstance(error, MemoryError) or getattr(error, "errno", None) in ERRNOS:
                self._pump.waits(child, f"its process cannot be started now: {error}")
                self._loop.call_later(_START_AGAIN, self._start_again, child)
                return
            self._pump.waits(child, "")
            child.error = f"The process could not be started: {error}"
            self._on_failure(child)
            return
        self._pump.waits(child, "")
        if process.stdin is not None:
            self._feed_later(process.stdin, spec.stdin or b"")
        self._connect(child, needs)
        # The object is not kept, and must not look for its process when it goes.
        process.returncode = 0
        self._on_start(child, process.pid, needs.pidfd(process.pid))

    def _start_again(self, child: Child) -> None:
        if child.state is State.CALLED_OFF:
            self._pump.waits(child, "")
            self._on_failure(child)
        else:
            self._start(child)

    def _connect(self, child: Child, needs: Descriptors) -> None:
        """Reads from now on what the process prints."""
        if needs.terminal is not None:
            # As long as nobody has opened the other end, a terminal reads as if everybody had gone: so we hold it.
            master, child.terminal = needs.terminal
            self._pump.attach(child, master, journal.STREAM_NUMBERS["stdout"])
        for name, fd in needs.started().items():
            if name in journal.STREAM_NUMBERS:
                self._attach(child, fd, name)
            else:
                self._pump.attach_pipe(child, pipe_of(child, name, fd, self._results))

    def _attach(self, child: Child, fd: int, stream: str) -> None:
        # A user may hold a limited amount of pipe memory; a smaller pipe is only slower.
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._pump.attach(child, fd, journal.STREAM_NUMBERS[stream])

    def _feed_later(self, stdin: IO[bytes], data: bytes) -> None:
        os.set_blocking(stdin.fileno(), False)
        self._loop.add_writer(stdin.fileno(), self._feed, stdin, bytearray(data))

    def _feed(self, stdin: IO[bytes], left: bytearray) -> None:
        """Writes what the process takes now; closes its input when it has all, or is gone."""
        try:
            del left[: os.write(stdin.fileno(), left[:_INPUT_SIZE])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            left.clear()
        if not left:
            self._loop.remove_writer(stdin.fileno())
            stdin.close()
