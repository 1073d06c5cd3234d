"""One running action, as its keeper sees it. Standard library only."""

from __future__ import annotations

import contextlib
import os
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


class Handle(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Calls it off."""
        ...


class Loop(Protocol):
    """The calls of an event loop that children need; `loop.EpollLoop` has them."""

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> Any:
        """Calls back whenever `fd` can be read."""
        ...

    def remove_reader(self, fd: int) -> Any:
        """Stops that."""
        ...

    def add_writer(self, fd: int, callback: Callable[..., Any], *args: Any) -> Any:
        """Calls back whenever `fd` can be written."""
        ...

    def remove_writer(self, fd: int) -> Any:
        """Stops that."""
        ...

    def yield_to_others(self, fd: int) -> Any:
        """Serves `fd` when no other is ready."""
        ...

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Calls back once, after `delay` seconds."""
        ...

    def time(self) -> float:
        """The loop's clock, in seconds."""
        ...


class Frames(Protocol):
    """Tells apart the tagged streams that come through one pipe."""

    def feed(self, child: Child, data: bytes | memoryview) -> list[tuple[Pipe, bytes]]:
        """What came, by stream."""
        ...

    def whole(self, pipe: Pipe, data: bytes) -> bytes:
        """What may be stored of a stream now: whole characters."""
        ...

    def finish(self, pipe: Pipe) -> bytes:
        """What is left of a stream at its end."""
        ...

    def end(self, child: Child) -> None:
        """Nothing more comes through the pipe."""
        ...


class ResultFile:
    """Where a result goes, at most `limit` bytes of it. Made (0600) when the first byte comes; `size` is what was
    written in all, `cut` whether that was too much."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.size = 0
        self._limit = limit
        self._stored = 0
        self._descriptor = -1

    @property
    def cut(self) -> bool:
        """Whether the file lacks what was beyond the limit."""
        return self.size > self._limit

    @property
    def begun(self) -> bool:
        """Whether there is a file: something was written."""
        return self._descriptor != -1

    def room(self) -> int:
        """How many bytes more it takes."""
        return self._limit - self._stored

    def write(self, data: bytes | memoryview) -> int:
        """Appends; gives how many bytes were taken, all of them unless the disk is full. Raises `OSError`."""
        if self._descriptor < 0:
            make_folder(self.path.parent)
            # One that a dead keeper began for the same attempt is begun anew.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
        kept = data[: self.room()]
        done = os.write(self._descriptor, kept) if kept else 0
        self._stored += done
        if done < len(kept):
            self.size += done
            return done
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Makes it durable, and closes it."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.fdatasync(self._descriptor)
                sync_folder(self.path.parent)
            os.close(self._descriptor)
            self._descriptor = -2


class Pipe:
    """One output stream. `kept` is what a full disk did not take yet; while there is some, the pipe is not read.

    `result` is the file that a result goes to instead of the journal; `frames` tells apart the tagged streams that come
    out of it, each of which is a `Pipe` of its own with a `tag`, whose `source` this one is.
    """

    __slots__ = ("fd", "frames", "kept", "masker", "open", "result", "settling", "source", "stream", "tag")

    def __init__(self, fd: int, stream: int, patterns: Patterns | None, tag: str = "") -> None:
        self.fd = fd
        self.stream = stream
        self.tag = tag
        self.source: Pipe | None = None
        self.result: ResultFile | None = None
        self.frames: Frames | None = None
        self.open = True
        self.kept = b""
        self.masker: Masker | None = None
        if patterns is not None:
            self.mask(patterns)
        self.settling: Handle | None = None

    def mask(self, patterns: Patterns) -> None:
        """Masks from now on what these find, also in what is held back."""
        # Most actions have no secrets, and a keeper without any does without the masker.
        from squall.core.output.masking import Masker

        if self.masker is None:
            self.masker = Masker(patterns)
        else:
            self.masker.patterns = patterns


def make_patterns(secrets: Iterable[bytes]) -> Patterns:
    """What finds these secrets in an output."""
    from squall.core.output.masking import Patterns

    return Patterns(secrets)


class Child:
    """One launch at work: where it is in its life (`state`, changed by `advance` only), and what became of it so far.

    `kept` counts bytes by stream, `dropped` by stream and tag, `tails` hold the last of what was dropped; `peak_memory`
    is in bytes. `result` is the file of the result, if there is to be one, `misused` what was wrong with what came
    through a descriptor of its own. `waits` says what the action's output waits for; empty if for nothing. `pid` is 0
    when it could not be started. `kill_at` is when those of its processes are killed that ignore being stopped.
    """

    # There may be hundreds, each for days.
    __slots__ = (
        "canceled", "cpu_seconds", "dropped", "error", "exit_code", "exited_at",
        "family", "first_record", "group", "kept", "kill_at", "last_read", "last_record", "masked", "misused",
        "opened", "over_limit", "patterns", "peak_memory", "pid", "pidfd", "pipes", "result", "spec",
        "started_at", "state", "stopped", "tails", "terminal", "timed_out", "timers", "waits",
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
        self.kept = {1: 0, 2: 0, 3: 0}
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
        self.waits = ""

    def advance(self, event: Event) -> State:
        """Moves it on in its life; returns the state that it has left. Raises `IllegalEventError`."""
        left, self.state = self.state, after(self.state, event)
        return left

    @property
    def ended(self) -> bool:
        """Whether its life is over: what still comes out of its pipes is dropped."""
        return self.state is State.ENDED

    @property
    def held_back(self) -> bool:
        """Whether a full disk keeps back some of its output."""
        return any(pipe.kept for pipe in self.pipes)

    def end_at(self, ended_at: int) -> End:
        """Returns how it ended, at a time in µs (UTC)."""
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
            stdout_bytes=self.kept[1],
            stderr_bytes=self.kept[2],
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
