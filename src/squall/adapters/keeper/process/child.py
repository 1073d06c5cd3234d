"""The keeper's state of one running action. Standard library only."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from squall.adapters.durable import make_folder, sync_folder
from squall.adapters.keeper.families.cgroups import ActionGroup
from squall.adapters.keeper.families.processes import Family
from squall.adapters.keeper.process.life import Event, State, after
from squall.core.execution.process import End, LaunchSpec

if TYPE_CHECKING:
    from squall.core.output.masking import Masker, Patterns

_PIECE = 1 << 20


class Handle(Protocol):
    """A timer that can be cancelled."""

    def cancel(self) -> None:
        """Cancels the timer."""
        ...


class Loop(Protocol):
    """The methods of an event loop that children need. `loop.EpollLoop` implements them."""

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> Any:
        """Calls `callback` each time `fd` is readable."""
        ...

    def remove_reader(self, fd: int) -> Any:
        """Stops the calls of `add_reader`."""
        ...

    def add_writer(self, fd: int, callback: Callable[..., Any], *args: Any) -> Any:
        """Calls `callback` each time `fd` is writable."""
        ...

    def remove_writer(self, fd: int) -> Any:
        """Stops the calls of `add_writer`."""
        ...

    def yield_to_others(self, fd: int) -> Any:
        """Serves `fd` only if no other descriptor is ready."""
        ...

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Calls `callback` once, after `delay` seconds."""
        ...

    def time(self) -> float:
        """Returns the loop's time, in seconds."""
        ...


class Frames(Protocol):
    """A decoder that separates the tagged streams of one pipe."""

    def feed(self, child: Child, data: bytes | memoryview) -> list[tuple[Pipe, bytes]]:
        """Returns the payloads in `data` with their streams."""
        ...

    def whole(self, pipe: Pipe, data: bytes) -> bytes:
        """Returns the data of a stream that may be stored now: complete characters."""
        ...

    def finish(self, pipe: Pipe) -> bytes:
        """Returns the bytes of a stream's incomplete last character."""
        ...

    def end(self, child: Child) -> None:
        """Handles the end of the pipe."""
        ...


class ResultFile:
    """The file of a result: stores at most `limit` bytes. The first byte creates the file (mode 0600). `size` is the
    size of the whole result in bytes, also beyond the limit. `lost` is true if the disk has lost the file's content."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.size = 0
        self.lost = False
        self._limit = limit
        self._stored = 0
        self._checksum = 0
        self._descriptor = -1
        self._failure: OSError | None = None
        self._doubtful = False

    @property
    def cut(self) -> bool:
        """True if the result exceeds the limit, so that the file lacks its end."""
        return self.size > self._limit

    @property
    def begun(self) -> bool:
        """True if the file exists: the process has written a result."""
        return self._descriptor != -1

    def room(self) -> int:
        """Returns the number of bytes up to the limit."""
        return self._limit - self._stored

    def write(self, data: bytes | memoryview) -> int:
        """Appends data. Returns the number of accepted bytes: all of them unless the disk is full. Raises `OSError`."""
        if self._descriptor < 0:
            make_folder(self.path.parent)
            # One that a dead keeper began for the same attempt is begun anew.
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
        accepted = data[: self.room()]
        written = os.pwrite(self._descriptor, accepted, self._stored) if accepted else 0
        self._stored += written
        self._checksum = zlib.crc32(accepted[:written], self._checksum)
        if written < len(accepted):
            self.size += written
            return written
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Makes the file durable, and closes it. After a failure, fails until `renew` was called; then it first writes
        the file again. If the system no longer has its content, the result is `lost`. Raises `OSError`."""
        if self._failure is not None:
            raise self._failure
        if self._descriptor < 0:
            return
        try:
            if self._doubtful:
                self._write_anew()
            os.fdatasync(self._descriptor)
            sync_folder(self.path.parent)
        except OSError as error:
            self._failure, self._doubtful = error, True
            raise
        os.close(self._descriptor)
        self._descriptor = -2

    def renew(self) -> None:
        """Lets the next flush try again."""
        self._failure = None

    def _write_anew(self) -> None:
        checksum = 0
        for at in range(0, self._stored, _PIECE):
            piece = os.pread(self._descriptor, min(_PIECE, self._stored - at), at)
            checksum = zlib.crc32(piece, checksum)
            os.pwrite(self._descriptor, piece, at)
        self.lost = checksum != self._checksum


class Pipe:
    """One output stream. `unwritten` are the bytes that a full disk refused; a pipe with such bytes is not read.

    If it is the pipe of a result, `result` is the file that stores it instead of the journal. If it carries tagged
    output, `frames` separates the tagged streams; each of them is a `Pipe` with a `tag`, and `source` is this one.
    """

    __slots__ = ("fd", "frames", "masker", "open", "result", "settling", "source", "stream", "tag", "unwritten")

    def __init__(self, fd: int, stream: int, patterns: Patterns | None, tag: str = "") -> None:
        self.fd = fd
        self.stream = stream
        self.tag = tag
        self.source: Pipe | None = None
        self.result: ResultFile | None = None
        self.frames: Frames | None = None
        self.open = True
        self.unwritten = b""
        self.masker: Masker | None = None
        if patterns is not None:
            self.mask(patterns)
        self.settling: Handle | None = None

    def mask(self, patterns: Patterns) -> None:
        """Masks the matches of `patterns` from now on, also in the data that the masker holds."""
        # Most actions have no secrets, and a keeper without secrets needs no masker.
        from squall.core.output.masking import Masker

        if self.masker is None:
            self.masker = Masker(patterns)
        else:
            self.masker.patterns = patterns


def make_patterns(secrets: Iterable[bytes]) -> Patterns:
    """Returns the patterns that match these secrets in an output."""
    from squall.core.output.masking import Patterns

    return Patterns(secrets)


class Child:
    """One running launch: its `state`, which only `advance` changes, and the values of its later `End`.

    `stored` counts the stored bytes by stream, `dropped` the dropped bytes by stream and tag; `tails` are the last
    dropped bytes. `peak_memory` is in bytes. `result` is the file of the result, if the action may have one; `misused`
    is the fault in the action's tagged output. `wait_reason` is the reason why its output waits; empty if it does not.
    `books_open` is true while the disk refuses the end of its output, which `Books.close` writes.
    `pid` is 0 if it could not be started. `kill_at` is the time (loop seconds) of the KILL after a TERM.
    """

    # There may be hundreds of children, each for days.
    __slots__ = (
        "books_open", "canceled", "cpu_seconds", "dropped", "error", "exit_code", "exited_at",
        "family", "first_record", "group", "kill_at", "last_read", "last_record", "masked", "misused",
        "opened", "over_limit", "patterns", "peak_memory", "pid", "pidfd", "pipes", "result", "spec",
        "started_at", "state", "stopped", "stored", "tails", "terminal", "timed_out", "timers", "wait_reason",
    )  # fmt: skip

    def __init__(self, spec: LaunchSpec) -> None:
        self.spec = spec
        self.state = State.STARTING
        self.patterns = make_patterns(spec.secrets) if spec.secrets else None
        self.exit_code = -1
        self.error: str | None = None
        self.timed_out = False
        self.canceled = False
        self.over_limit = False
        self.stopped = False
        self.stored = {1: 0, 2: 0, 3: 0}
        self.dropped: dict[tuple[int, str], int] = {}
        self.tails: dict[tuple[int, str], bytes] = {}
        self.result: ResultFile | None = None
        self.misused: str | None = None
        self.masked = 0
        self.first_record = 0
        self.last_record = 0
        self.pid = 0
        self.family: Family | None = None
        self.group: ActionGroup | None = None
        self.kill_at = 0.0
        self.cpu_seconds = 0.0
        self.peak_memory = 0
        self.pidfd = -1
        self.terminal = -1
        self.pipes: list[Pipe] = []
        self.timers: dict[str, Handle] = {}
        self.started_at = 0.0
        self.exited_at: float | None = None
        self.last_read = 0.0
        self.opened = False
        self.books_open = False
        self.wait_reason = ""

    def advance(self, event: Event) -> State:
        """Applies an event to the state, and returns the previous state. Raises `IllegalEventError`."""
        previous, self.state = self.state, after(self.state, event)
        return previous

    @property
    def ended(self) -> bool:
        """True if the child has ended. Later data of its pipes is dropped."""
        return self.state is State.ENDED

    @property
    def held_back(self) -> bool:
        """True if some of its output is unwritten because the disk refused it."""
        return any(pipe.unwritten for pipe in self.pipes)

    def end_at(self, ended_at: int) -> End:
        """Returns the `End` of the child; `ended_at` is its time in µs (UTC)."""
        result = self.result
        return End(
            execution=self.spec.execution,
            attempt=self.spec.attempt,
            exit_code=self.exit_code,
            timed_out=self.timed_out,
            canceled=self.canceled,
            over_limit=self.over_limit,
            stopped=self.stopped,
            error=self.error,
            stdout_bytes=self.stored[1],
            stderr_bytes=self.stored[2],
            first_record=self.first_record,
            last_record=self.last_record,
            masked=self.masked,
            wall_seconds=(self.exited_at or 0.0) - self.started_at,
            cpu_seconds=self.cpu_seconds,
            peak_memory=self.peak_memory,
            result_file=str(result.path) if result is not None and result.begun else None,
            result_bytes=result.size if result is not None else 0,
            result_cut=result is not None and result.cut,
            misused=self.misused,
            ended_at=ended_at,
        )
