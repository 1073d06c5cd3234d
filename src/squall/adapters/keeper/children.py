"""The actions' processes: started in sessions of their own, their pipes pumped into the journal, ended as a whole.

Standard library only, on any event loop that has asyncio's four calls of `Loop`. One read of a pipe is one record:
nothing waits for a newline, and a fast writer costs one record a read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any, Protocol

from squall.adapters.keeper.journals import Journals
from squall.adapters.keeper.processes import MARKER, Family, read_process
from squall.adapters.keeper.writer import DiskFullError
from squall.core import journal

_READ_SIZE = 128 << 10
_PIPE_SIZE = 1 << 20
_KILL_AFTER = 3.0
_GIVE_UP = 10.0
_LOOK_AGAIN = 0.1
_LINGER_SILENCE = 0.5
_LINGER_MOST = 5.0
_RETRY_FULL_DISK = 0.25


class Spec(Protocol):
    """What is to be started: `core.launch.LaunchSpec`, or what a keeper has been sent of it."""

    @property
    def execution(self) -> str: ...  # noqa: D102
    @property
    def tree(self) -> str: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def argv(self) -> list[str]: ...  # noqa: D102
    @property
    def env(self) -> dict[str, str]: ...  # noqa: D102
    @property
    def cwd(self) -> str | None: ...  # noqa: D102
    @property
    def stdin(self) -> bytes | None: ...  # noqa: D102
    @property
    def timeout(self) -> float | None: ...  # noqa: D102
    @property
    def output_limit(self) -> int: ...  # noqa: D102
    @property
    def fail_at_limit(self) -> bool: ...  # noqa: D102
    @property
    def opening(self) -> bytes: ...  # noqa: D102
    @property
    def opened(self) -> int: ...  # noqa: D102
    @property
    def opened_at(self) -> int: ...  # noqa: D102


class Handle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Calls it off."""
        ...


class Loop(Protocol):
    """The four calls of an event loop that children need."""

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> Any:
        """Calls back whenever `fd` can be read."""
        ...

    def remove_reader(self, fd: int) -> Any:
        """Stops that."""
        ...

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Calls back once, after `delay` seconds."""
        ...

    def time(self) -> float:
        """The loop's clock, in seconds."""
        ...


class _Pipe:
    """One output stream of a child."""

    __slots__ = ("fd", "kept", "open", "stream")

    def __init__(self, fd: int, stream: int) -> None:
        self.fd = fd
        self.stream = stream
        self.open = True
        self.kept = b""


class Child:
    """One running action. What became of it is in the public attributes once `on_end` has been called."""

    def __init__(self, spec: Spec, on_end: Callable[[Child], None]) -> None:
        self.spec = spec
        self.on_end = on_end
        self.exit_code = -1
        self.error: str | None = None
        self.timed_out = False
        self.canceled = False
        self.over_limit = False
        self.kept = {1: 0, 2: 0, 3: 0}
        self.last_record = 0
        self.dropped: dict[int, int] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.family: Family | None = None
        self.doomed_at: float | None = None
        self.cpu_seconds = 0.0
        self.peak_memory = 0
        self.pidfd = -1
        self.pipes: list[_Pipe] = []
        self.timers: list[Handle] = []
        self.exited_at: float | None = None
        self.last_read = 0.0
        self.ended = False
        self.opened = False


class Children:
    """Starts, pumps, limits and ends children. Everything runs on the loop's thread."""

    def __init__(self, loop: Loop, journals: Journals, now: Callable[[], int]) -> None:
        self._loop = loop
        self._journals = journals
        self._now = now
        self._buffer = bytearray(_READ_SIZE)
        self._view = memoryview(self._buffer)
        self._running: dict[str, Child] = {}

    def spawn(self, spec: Spec, on_end: Callable[[Child], None]) -> Child:
        """Starts a process; `on_end` is called once, when all it printed is in the journal, or it could not start."""
        child = Child(spec, on_end)
        try:
            process = subprocess.Popen(
                spec.argv,
                stdin=subprocess.PIPE if spec.stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**spec.env, MARKER: _marker(spec)},
                cwd=spec.cwd,
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            child.error = f"The process could not be started: {error}"
            self._loop.call_later(0, self._finish, child)
            return child
        child.process = process
        self._running[spec.execution] = child
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(spec.stdin or b"")
            process.stdin.close()
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both were asked for above
        for file, stream in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            # The pipe object goes, its descriptor is ours: it outlives the Popen object.
            pipe = _Pipe(os.dup(file.fileno()), journal.STREAM_NUMBERS[stream])
            file.close()
            os.set_blocking(pipe.fd, False)
            # A user may hold a limited amount of pipe memory; a smaller pipe is only slower.
            with contextlib.suppress(OSError):
                fcntl.fcntl(pipe.fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            child.pipes.append(pipe)
            self._loop.add_reader(pipe.fd, self._readable, child, pipe)
        known = read_process(process.pid)
        child.family = Family(process.pid, known.started if known is not None else 0, _marker(spec))
        child.pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(child.pidfd, self._exited, child)
        if spec.timeout is not None:
            child.timers.append(self._loop.call_later(spec.timeout, self._time_out, child))
        return child

    def cancel(self, execution: str) -> None:
        """Ends a child as a whole: TERM, then KILL after three seconds. Does nothing if it is not running."""
        child = self._running.get(execution)
        if child is not None and not child.canceled:
            child.canceled = True
            self._terminate(child)

    def running(self) -> list[str]:
        """The executions whose process has not ended."""
        return list(self._running)

    def pids(self) -> set[int]:
        """The first processes of those that have not been waited for."""
        return {child.process.pid for child in self._running.values() if child.process is not None}

    def _time_out(self, child: Child) -> None:
        if child.exited_at is None:
            child.timed_out = True
            self._terminate(child)

    def _terminate(self, child: Child) -> None:
        """Asks all of an action's processes to end; after three seconds they are killed."""
        if child.family is None or child.ended or child.doomed_at is not None:
            return
        child.doomed_at = self._loop.time() + _KILL_AFTER
        child.family.signal(signal.SIGTERM)
        # A stopped process only sees TERM once it is continued.
        child.family.signal(signal.SIGCONT)
        self._watch_doomed(child)

    def _watch_doomed(self, child: Child) -> None:
        """Looks until none of a doomed action's processes is left, and kills what is left at the end of its grace."""
        if child.family is None or child.doomed_at is None or child.ended:
            return
        late = self._loop.time() - child.doomed_at
        left = child.family.living() if late < 0 else child.family.kill()
        if child.exited_at is not None and (not left or late > _GIVE_UP):
            self._drain(child)
        if child.exited_at is not None and (not left or late > _GIVE_UP) and not any(p.kept for p in child.pipes):
            self._finish(child)
        else:
            child.timers.append(self._loop.call_later(_LOOK_AGAIN, self._watch_doomed, child))

    def _drain(self, child: Child) -> None:
        """Reads what the pipes still hold, now that nobody is left to write."""
        for pipe in child.pipes:
            while pipe.open and not pipe.kept:
                try:
                    count = os.readv(pipe.fd, [self._buffer])
                except BlockingIOError:
                    break
                if not count:
                    self._close_pipe(child, pipe)
                else:
                    self._store(child, pipe, self._view[:count])

    def _readable(self, child: Child, pipe: _Pipe) -> None:
        try:
            count = os.readv(pipe.fd, [self._buffer])
        except BlockingIOError:
            return
        if count == 0:
            self._close_pipe(child, pipe)
            return
        child.last_read = self._loop.time()
        if not child.ended:
            self._store(child, pipe, self._view[:count])

    def _store(self, child: Child, pipe: _Pipe, data: memoryview | bytes) -> None:
        """Puts what was read into the journal; on a full disk the pipe pauses and the bytes wait, none is lost."""
        room = child.spec.output_limit - sum(child.kept.values())
        if room <= 0:
            self._drop(child, pipe, len(data))
            return
        kept = data[:room]
        try:
            self._journals.reserve(len(kept))
            writer = self._journals.writer(child.spec.tree, create=True)
            if writer is None:
                raise DiskFullError(28, "the journal cannot be opened")
            if not child.opened and child.spec.opening:
                spec = child.spec
                writer.note(journal.STATUS, spec.execution, spec.opened_at, spec.opened, spec.opening)
            child.opened = True
            writer.output(child.spec.execution, pipe.stream, self._now(), kept)
        except OSError:
            pipe.kept = bytes(data)
            self._loop.remove_reader(pipe.fd)
            child.timers.append(self._loop.call_later(_RETRY_FULL_DISK, self._retry, child, pipe))
            return
        child.kept[pipe.stream] += len(kept)
        if len(kept) < len(data):
            self._drop(child, pipe, len(data) - len(kept))

    def _retry(self, child: Child, pipe: _Pipe) -> None:
        if child.ended or not pipe.open:
            return
        kept, pipe.kept = pipe.kept, b""
        self._store(child, pipe, kept)
        if not pipe.kept:
            self._loop.add_reader(pipe.fd, self._readable, child, pipe)
            self._maybe_end(child)

    def _drop(self, child: Child, pipe: _Pipe, count: int) -> None:
        """Counts what the output limit keeps out; the first time says so in the journal at once."""
        if not child.over_limit:
            child.over_limit = True
            self._gap(child, pipe.stream, 0)
            if child.spec.fail_at_limit:
                self._terminate(child)
        child.dropped[pipe.stream] = child.dropped.get(pipe.stream, 0) + count

    def _gap(self, child: Child, stream: int, count: int) -> None:
        text = f'{{"reason":"output limit","limit":{child.spec.output_limit},"bytes":{count}}}'
        writer = self._journals.writer(child.spec.tree, create=True)
        if writer is not None:
            # The count of a gap may be lost to a full disk; the offsets around the hole still show it.
            with contextlib.suppress(DiskFullError):
                writer.note(journal.GAP, child.spec.execution, self._now(), 0, text.encode(), stream)

    def _close_pipe(self, child: Child, pipe: _Pipe) -> None:
        if pipe.open:
            pipe.open = False
            self._loop.remove_reader(pipe.fd)
            os.close(pipe.fd)
            self._maybe_end(child)

    def _exited(self, child: Child) -> None:
        if child.process is None:
            return
        self._loop.remove_reader(child.pidfd)
        os.close(child.pidfd)
        _, status, usage = os.wait4(child.process.pid, 0)
        child.exit_code = os.waitstatus_to_exitcode(status)
        # The object would otherwise wait for the process, which is gone.
        child.process.returncode = child.exit_code
        child.cpu_seconds = usage.ru_utime + usage.ru_stime
        child.peak_memory = usage.ru_maxrss * 1024
        child.exited_at = self._loop.time()
        child.last_read = child.exited_at
        self._maybe_end(child)
        if child.doomed_at is not None:
            self._watch_doomed(child)
        elif not child.ended:
            self._linger(child)

    def _linger(self, child: Child) -> None:
        """A process left behind may hold the pipes open: wait for silence, and never long.

        What it prints later is read and dropped, so that it is neither blocked nor killed by a closed pipe.
        """
        if child.ended or child.exited_at is None or child.doomed_at is not None:
            return
        now = self._loop.time()
        silent = now - child.last_read >= _LINGER_SILENCE and not any(pipe.kept for pipe in child.pipes)
        if silent or (now - child.exited_at >= _LINGER_MOST and not any(pipe.kept for pipe in child.pipes)):
            self._finish(child)
        else:
            child.timers.append(self._loop.call_later(_LINGER_SILENCE / 2, self._linger, child))

    def _maybe_end(self, child: Child) -> None:
        """Ends a child whose process and pipes are through; a doomed one only when its last process is gone."""
        if child.doomed_at is not None or child.exited_at is None:
            return
        if not any(pipe.open or pipe.kept for pipe in child.pipes):
            self._finish(child)

    def _finish(self, child: Child) -> None:
        if child.ended:
            return
        child.ended = True
        for timer in child.timers:
            timer.cancel()
        for stream, count in child.dropped.items():
            writer = self._journals.writer(child.spec.tree, create=True)
            if writer is not None:
                writer.skip(child.spec.execution, stream, count)
            self._gap(child, stream, count)
        if child.opened:
            writer = self._journals.writer(child.spec.tree, create=True)
            child.last_record = writer.tail(child.spec.execution) if writer is not None else 0
        self._running.pop(child.spec.execution, None)
        child.on_end(child)


def _marker(spec: Spec) -> str:
    return f"{spec.execution}.{spec.attempt}"
