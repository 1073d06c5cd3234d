"""The actions' processes: started in sessions of their own, timed, cancelled as a whole, and waited for.

Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import IO

from squall.adapters.keeper.families.cgroups import ActionGroups
from squall.adapters.keeper.families.processes import MARKER, Family, read_process
from squall.adapters.keeper.process.child import Child, Loop, make_patterns
from squall.adapters.keeper.process.descriptors import Descriptors, pipe_of
from squall.adapters.keeper.process.doomed import Doomed
from squall.adapters.keeper.process.forks import Ends, Forks, order_of
from squall.adapters.keeper.process.pump import Pump
from squall.adapters.keeper.process.starting import marker, start
from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.execution.process import LaunchSpec
from squall.core.output import journal
from squall.core.output.tagged import RECORDS_FD, RESULT_FD

_PIPE_SIZE = 1 << 20
_INPUT_SIZE = 1 << 16
_LINGER_SILENCE = 0.5
_LINGER_MOST = 5.0
_SILENCE = 60.0
_TOO_SHORT = "%d secret value(s) with fewer than 4 bytes, or of white space only, are not masked in this output"
_TOO_LONG = "%d secret value(s) with more than 64 KiB are not masked in this output"


class Children:
    """Starts and ends children, on the loop's thread. `on_wait` tells that what a child `waits` for has changed."""

    def __init__(
        self,
        loop: Loop,
        journals: Journals,
        groups: ActionGroups,
        results: Path,
        now: Callable[[], int],
        on_wait: Callable[[Child], None],
    ) -> None:
        self._loop = loop
        self._groups = groups
        self._results = results
        self._forks = Forks(loop)
        self._doomed = Doomed(loop, self._doomed_looked_at)
        self._pump = Pump(loop, journals, now, self._maybe_end, self._doomed.add, on_wait)
        self._running: dict[str, Child] = {}

    def spawn(self, spec: LaunchSpec, on_end: Callable[[Child], None], on_start: Callable[[Child], None]) -> None:
        """Starts a process; `on_start` is called when it is there, `on_end` once, when all it printed is in the
        journal, or it could not start."""
        child = Child(spec, on_end)
        self._running[spec.unit] = child
        if not self._ask_for_fork(child, on_start):
            self._start(child, on_start)

    def _ask_for_fork(self, child: Child, on_start: Callable[[Child], None]) -> bool:
        """Has a fork server make the process, where one is to and can; false if not."""
        spec = child.spec
        if spec.fork_server is None or spec.result_limit is None or spec.pty is not None:
            return False
        try:
            ends = Ends(spec.tagged)
        except OSError:
            return False
        asked = self._forks.ask(spec.fork_server, ends.theirs, lambda pid: self._forked(child, ends, pid, on_start))
        if asked:
            ends.hand_over()
        else:
            ends.close()
        return asked

    def _forked(self, child: Child, ends: Ends, pid: int, on_start: Callable[[Child], None]) -> None:
        """A fork server has answered, or is gone: then the process is started the ordinary way."""
        spec = child.spec
        try:
            pidfd = os.pidfd_open(pid) if pid else -1
        except OSError:
            pidfd = -1
        if pidfd < 0:
            ends.close()
            self._start(child, on_start)
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
        self._known(child, pid, pidfd, on_start)

    def _start(self, child: Child, on_start: Callable[[Child], None]) -> None:
        spec = child.spec
        terminal: tuple[int, int] | None = None
        extra: Descriptors | None = None
        try:
            extra = Descriptors(spec)
            if spec.pty is not None:
                terminal = os.openpty()
                fcntl.ioctl(terminal[0], termios.TIOCSWINSZ, struct.pack("HHHH", *spec.pty, 0, 0))
            child.group = self._groups.make(marker(spec))
            process = start(spec, terminal, child.group, extra.pass_on)
        except (OSError, ValueError) as error:
            for fd in terminal or ():
                os.close(fd)
            if extra is not None:
                extra.close()
            if child.group is not None:
                self._groups.forget(child.group)
                child.group = None
            child.error = f"The process could not be started: {error}"
            self._loop.call_later(0, self._finish, child)
            return
        self._connect(child, process, terminal)
        for name, fd in extra.started().items():
            self._pump.attach_pipe(child, pipe_of(child, name, fd, self._results))
        # The object is not kept, and must not look for its process when it goes.
        process.returncode = 0
        self._known(child, process.pid, os.pidfd_open(process.pid), on_start)

    def _known(self, child: Child, pid: int, pidfd: int, on_start: Callable[[Child], None]) -> None:
        """The process is there, and its pipes are read: from now on it is timed, watched and waited for."""
        spec = child.spec
        child.pid = pid
        child.started_at = child.last_read = self._loop.time()
        # What only a start needs is not kept.
        child.spec = spec._replace(argv=[], env={}, stdin=None, secrets=(), limits={})
        known = read_process(pid)
        child.family = Family(pid, known.started if known is not None else 0, marker(spec), child.group)
        child.pidfd = pidfd
        self._loop.add_reader(child.pidfd, self._exited, child)
        if spec.timeout is not None:
            child.timers["timeout"] = self._loop.call_later(spec.timeout, self._time_out, child)
        self._warn(child, 0)
        if spec.too_long:
            self._pump.note(child, journal.PROGRESS, json.dumps({"warning": _TOO_LONG % spec.too_long}))
        child.timers["silence"] = self._loop.call_later(_SILENCE, self._look_at_silence, child)
        on_start(child)
        if child.canceled:
            # Asked for before there was a process.
            self._doomed.add(child)

    def _connect(self, child: Child, process: subprocess.Popen[bytes], terminal: tuple[int, int] | None) -> None:
        if process.stdin is not None:
            self._feed_later(process.stdin, child.spec.stdin or b"")
        if terminal is not None:
            # As long as nobody has opened the other end, a terminal reads as if everybody had gone: so we hold it.
            child.terminal = terminal[1]
            self._pump.attach(child, terminal[0], journal.STREAM_NUMBERS["stdout"])
            return
        for file, stream in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            if file is None:
                continue
            # The pipe object goes, its descriptor is the pump's: it outlives the Popen object.
            fd = os.dup(file.fileno())
            file.close()
            self._attach(child, fd, stream)

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

    def cancel(self, unit: str) -> None:
        """Ends a child as a whole: TERM, then KILL after three seconds. Does nothing if it is not running."""
        child = self._running.get(unit)
        if child is not None and not child.canceled:
            child.canceled = True
            if child.pid:
                self._doomed.add(child)

    def add_secrets(self, unit: str, secrets: list[bytes]) -> None:
        """Masks these, too, from now on. Does nothing if it is not running."""
        child = self._running.get(unit)
        if child is not None:
            patterns = child.patterns.with_secrets(secrets) if child.patterns is not None else make_patterns(secrets)
            before = child.patterns.too_short if child.patterns is not None else 0
            self._pump.set_patterns(child, patterns)
            self._warn(child, before)

    def _warn(self, child: Child, before: int) -> None:
        """Says in the output how many secrets are too short to be masked, if there are more of them than before."""
        if child.patterns is not None and child.patterns.too_short > before:
            self._pump.note(child, journal.PROGRESS, json.dumps({"warning": _TOO_SHORT % child.patterns.too_short}))

    def masking_seconds(self) -> float:
        """How much time masked output has taken so far."""
        return self._pump.masking_seconds

    def running(self) -> list[str]:
        """Returns the units whose process has not ended."""
        return list(self._running)

    def waiting(self) -> dict[str, str]:
        """Returns what the output of each unit waits for that waits."""
        return {unit: child.waits for unit, child in self._running.items() if child.waits}

    def pids(self) -> set[int]:
        """The first processes of those that have not been waited for."""
        return {child.pid for child in self._running.values()}

    def _time_out(self, child: Child) -> None:
        if child.exited_at is None:
            child.timed_out = True
            self._doomed.add(child)

    def _doomed_looked_at(self, child: Child) -> None:
        """Ends a doomed child when nothing of it is left and all that it has printed is stored."""
        if child.through:
            self._pump.drain(child)
            if not any(pipe.kept for pipe in child.pipes):
                self._finish(child)

    def _look_at_silence(self, child: Child) -> None:
        """Followers of an action that prints nothing are told, once a minute, that it lives and what CPU it used."""
        if child.ended or child.exited_at is not None:
            return
        silent = self._loop.time() - child.last_read
        if silent >= _SILENCE:
            found = read_process(child.pid)
            cpu = found.cpu_ticks / os.sysconf("SC_CLK_TCK") if found is not None else 0.0
            self._pump.note(
                child, journal.PROGRESS, f'{{"alive":true,"silent_seconds":{silent:.0f},"cpu_seconds":{cpu:.2f}}}'
            )
            silent = 0.0
        child.timers["silence"] = self._loop.call_later(_SILENCE - silent, self._look_at_silence, child)

    def _exited(self, child: Child) -> None:
        self._loop.remove_reader(child.pidfd)
        os.close(child.pidfd)
        if child.terminal >= 0:
            os.close(child.terminal)
        _, status, usage = os.wait4(child.pid, 0)
        child.exit_code = os.waitstatus_to_exitcode(status)
        child.cpu_seconds = usage.ru_utime + usage.ru_stime
        child.peak_memory = usage.ru_maxrss * 1024
        child.exited_at = self._loop.time()
        child.last_read = child.exited_at
        self._maybe_end(child)
        if child.doomed_at is not None:
            self._doomed.look_soon()
        elif not child.ended:
            self._linger(child)

    def _linger(self, child: Child) -> None:
        """A process left behind may hold the pipes open: wait for silence, and never long.

        What it prints later is read and dropped, so that it is neither blocked nor killed by a closed pipe.
        """
        if child.ended or child.exited_at is None or child.doomed_at is not None:
            return
        now = self._loop.time()
        waiting = any(pipe.kept for pipe in child.pipes)
        silent = now - child.last_read >= _LINGER_SILENCE
        if not waiting and (silent or now - child.exited_at >= _LINGER_MOST):
            self._pump.drain(child)
            self._finish(child)
        if not child.ended:
            child.timers["linger"] = self._loop.call_later(_LINGER_SILENCE / 2, self._linger, child)

    def _maybe_end(self, child: Child) -> None:
        """Ends a child whose process and pipes are through; a doomed one only when its last process is gone."""
        if child.doomed_at is not None or child.exited_at is None:
            return
        if not any(pipe.open or pipe.kept for pipe in child.pipes):
            self._finish(child)

    def _finish(self, child: Child) -> None:
        if child.ended:
            return
        self._pump.close_books(child)
        if any(pipe.kept for pipe in child.pipes):
            # What was held back met a full disk: the end waits for it.
            child.timers["linger"] = self._loop.call_later(_LINGER_SILENCE, self._linger, child)
            return
        child.ended = True
        for timer in child.timers.values():
            timer.cancel()
        child.timers.clear()
        if child.group is not None:
            cpu, memory = child.group.usage()
            child.cpu_seconds = max(child.cpu_seconds, cpu)
            child.peak_memory = memory or child.peak_memory
            self._groups.forget(child.group)
        self._running.pop(child.spec.unit, None)
        child.on_end(child)
