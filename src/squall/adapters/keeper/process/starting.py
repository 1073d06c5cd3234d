"""The start of an action's process: its session, pipes or terminal, environment, umask and limits. Standard library
only.

It uses vfork, whose cost does not depend on the keeper's memory. So no code here runs between fork and exec; Python's
`umask=` works without such code. `prlimit` (util-linux) sets the limits and then executes the action, so limits also
hold for an action that runs as another user with sudo. If the action has a cgroup, a shell stops itself, the keeper
moves it into the cgroup, and then the shell executes the action: a process that the action started earlier could leave
the cgroup.
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
from collections.abc import Callable, Iterator, Mapping
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
"""The limits by their names in specs: prlimit's option and the kernel's number."""

OPEN_FILES: Final = "SQUALL_OPEN_FILES"
"""The environment variable that tells a keeper the soft limit of descriptors with which the server was started."""

# A session leader that opens a terminal gets it as its controlling terminal. The shell opens it, then executes the
# command.
_ON_TERMINAL: Final = 't=$1; shift; exec "$@" <>"$t" >&0 2>&0'
_STOPPED: Final = "kill -STOP $$; "
_PLAIN: Final = 'exec "$@"'
# Shells do not pass on environment variables that are not valid shell names.
_NAMED_BY_SHELLS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PIPE_SIZE: Final = 1 << 20
_INPUT_SIZE: Final = 1 << 16
_OWN_PIPES: Final = 16
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
    """Starts the process of an action, on `terminal` (master, slave) and in the cgroup `group` unless they are None.

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
        _check_program(spec)
        words = [_PLAIN, "sh"]
    if group is not None:
        words[0] = _STOPPED + words[0]
    if words:
        odd = [f"{name}={value}" for name, value in env.items() if not _NAMED_BY_SHELLS.fullmatch(name)]
        argv = ["/bin/sh", "-c", *words, *(["env", *odd] if odd else []), *argv]
    nothing = subprocess.DEVNULL
    with _limit_of_actions():
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


def raise_descriptors() -> int:
    """Raises this process's soft limit of descriptors to the hard limit. Returns the one for actions, with which the
    server was started: their programs may use `select`, or become slow under a high limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    given = os.environ.get(OPEN_FILES, "")
    if soft != hard and hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(given) if given.isdigit() else soft


@contextlib.contextmanager
def _limit_of_actions() -> Iterator[None]:
    """Lets a process begin with the soft limit of actions: it would see a limit that is set afterwards too late. Does
    nothing if this process itself has nearly so many descriptors; then `lower_descriptors` comes afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    given = os.environ.get(OPEN_FILES, "")
    next_free = os.dup(0)
    os.close(next_free)
    if not given.isdigit() or not next_free + _OWN_PIPES < int(given) < soft:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(given), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def lower_descriptors(pid: int, soft: int) -> None:
    """Sets the soft limit of descriptors of a process that has just begun. It may have ended already."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def _enter(pid: int, group: ActionGroup) -> None:
    """Waits until a process has stopped itself, moves it into its cgroup, and continues it."""
    deadline = time.monotonic() + _STOPS_WITHIN
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            break
        time.sleep(_LOOK_AGAIN)
    with contextlib.suppress(OSError):
        # Without its cgroup, its descendants are recognized as on a machine without cgroups.
        group.take(pid)
    os.kill(pid, signal.SIGCONT)


def _check_program(spec: LaunchSpec) -> None:
    """Checks that the program exists, as a shell could not report that it is missing. Raises `FileNotFoundError`."""
    name = spec.argv[0]
    folders = [""] if "/" in name else os.get_exec_path(spec.env)
    if not any(os.access(os.path.join(spec.cwd or "", folder, name), os.X_OK) for folder in folders):  # noqa: PTH118
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def marker(spec: LaunchSpec) -> str:
    """Returns the value of `MARKER` in the environment of an action's processes."""
    return f"{spec.unit}.{spec.attempt}"


def _limited(limits: dict[str, int]) -> list[str]:
    """Returns the words before a command that run it with limits. Raises `OSError` and `ValueError`."""
    if not limits:
        return []
    # The keeper's own PATH counts, as the action's PATH may have any folders.
    paths = [os.path.join(folder, "prlimit") for folder in os.get_exec_path()]  # noqa: PTH118 - text for argv
    program = next((path for path in paths if os.access(path, os.X_OK)), None)
    if program is None:
        raise FileNotFoundError(2, "limits need prlimit, of the package util-linux", "prlimit")
    words = [program]
    for name, limit in limits.items():
        if name not in LIMITS:
            raise ValueError(f"there is no limit {name!r}; there are {', '.join(LIMITS)}")
        option, number = LIMITS[name]
        # Only root may exceed the hard limits of this process.
        most = resource.getrlimit(number)[1]
        value = limit if most == resource.RLIM_INFINITY else min(limit, most)
        words.append(f"--{option}={value}:{value}")
    return [*words, "--"]


def order_of(spec: LaunchSpec, environment: dict[str, str]) -> bytes:
    """Returns the order that a forked process reads from its standard input: a line of JSON with its environment,
    working directory, umask and limits, then the input of the action."""
    limits = [[int(LIMITS[name][1]), value] for name, value in spec.limits.items()]
    setting = {"env": environment, "cwd": spec.cwd, "umask": spec.umask, "limits": limits}
    return json.dumps(setting).encode() + b"\n" + (spec.stdin or b"")


class Starter:
    """Starts children: with a fork server if one is ready, else as new processes. It attaches their pipes to `pump`.

    It calls `on_start(child, pid, pidfd)` when the process has started, maybe later, or `on_failure(child)` if it could
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
        """Starts the child's process, or requests it from a fork server."""
        if not self._request_fork(child):
            self._start(child)

    def _request_fork(self, child: Child) -> bool:
        """Requests the process from a fork server. Returns False if the spec does not allow one or none is ready."""
        spec = child.spec
        if spec.fork_server is None or spec.result_limit is None or spec.pty is not None:
            return False
        try:
            ends = Ends(spec.tagged)
        except OSError:
            return False
        is_requested = self._forks.request(spec.fork_server, ends.theirs, lambda pid: self._forked(child, ends, pid))
        if is_requested:
            ends.hand_over()
        else:
            ends.close()
        return is_requested

    def _forked(self, child: Child, ends: Ends, pid: int) -> None:
        """Handles the answer of a fork server. If `pid` is 0, starts a new process instead."""
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
        # The kernel limits the pipe memory of a user; a smaller pipe is only slower.
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._pump.attach(child, fd, journal.STREAM_NUMBERS[stream])

    def _feed_later(self, stdin: IO[bytes], data: bytes) -> None:
        os.set_blocking(stdin.fileno(), False)
        self._loop.add_writer(stdin.fileno(), self._feed, stdin, bytearray(data))

    def _feed(self, stdin: IO[bytes], remaining: bytearray) -> None:
        """Writes as much input as the pipe accepts now. Closes it after the last byte, or if the process closed it."""
        try:
            del remaining[: os.write(stdin.fileno(), remaining[:_INPUT_SIZE])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            remaining.clear()
        if not remaining:
            self._loop.remove_writer(stdin.fileno())
            stdin.close()
