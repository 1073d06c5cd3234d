"""The descriptors of a process: those of its output, a pipe for its result, and one for output under tags. Standard
library only.

The last two are read by the pump like any output, so they are masked, held back by a full disk, and waited for like it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from pathlib import Path

from squall.adapters.keeper.process.child import Child, Pipe, ResultFile
from squall.core.execution.process import LaunchSpec
from squall.core.output import journal, tagged

RESULT_STREAM = 0
"""The stream number of a result, which is no output."""

_UNFINISHED = 3
_NONE = (-1, -1)


class Descriptors:
    """All descriptors that a process about to be started needs, made before it: so none can be lacking afterwards.

    `terminal` is (master, slave) for one that gets a terminal, else None; `streams` are the child's ends of output and
    errors, which are made if it has no terminal. Raises `OSError`; then none of them is left open.
    """

    def __init__(self, spec: LaunchSpec) -> None:
        self._ends: dict[str, tuple[int, int]] = {}
        self.terminal: tuple[int, int] | None = None
        self._spare = -1
        names = [] if spec.pty is not None else ["stdout", "stderr"]
        names += [tagged.RESULT_FD] if spec.result_limit is not None else []
        names += [tagged.RECORDS_FD] if spec.tagged else []
        try:
            # It is given back for the descriptor of the process, which can only be had when that has been started.
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            for name in names:
                self._ends[name] = os.pipe2(os.O_CLOEXEC)
            if spec.pty is not None:
                self.terminal = os.openpty()
                fcntl.ioctl(self.terminal[0], termios.TIOCSWINSZ, struct.pack("HHHH", *spec.pty, 0, 0))
        except OSError:
            self.close()
            raise

    @property
    def streams(self) -> tuple[int, int]:
        """The child's ends of output and errors; -1 for those of a process with a terminal."""
        return self._ends.get("stdout", _NONE)[1], self._ends.get("stderr", _NONE)[1]

    @property
    def pass_on(self) -> dict[str, int]:
        """What the process is to inherit, by the environment variable that tells it the number."""
        return {name: writer for name, (_, writer) in self._ends.items() if name not in journal.STREAM_NUMBERS}

    def started(self) -> dict[str, int]:
        """Closes the process's ends here; gives those to read from, which are the caller's from now on."""
        for _, writer in self._ends.values():
            os.close(writer)
        readers = {name: reader for name, (reader, _) in self._ends.items()}
        self._ends = {}
        return readers

    def pidfd(self, pid: int) -> int:
        """Returns a descriptor of the process that was started, in place of the spare one."""
        os.close(self._spare)
        self._spare = -1
        return os.pidfd_open(pid)

    def close(self) -> None:
        """Closes what was made, when no process could be started."""
        for pair in (*self._ends.values(), self.terminal or ()):
            for fd in pair:
                os.close(fd)
        if self._spare >= 0:
            os.close(self._spare)
        self._ends, self.terminal, self._spare = {}, None, -1


def pipe_of(child: Child, name: str, fd: int, results: Path) -> Pipe:
    """The pipe that is read from `fd`, the other end of which the process has by the variable `name`. `results` is the
    folder of result files."""
    if name == tagged.RECORDS_FD:
        pipe = Pipe(fd, RESULT_STREAM, None)
        pipe.frames = TaggedFrames(pipe)
        return pipe
    pipe = Pipe(fd, RESULT_STREAM, child.patterns)
    spec = child.spec
    pipe.result = child.result = ResultFile(results / f"{spec.unit}.{spec.attempt}", spec.result_limit or 0)
    return pipe


class TaggedFrames:
    """`child.Frames`: the tagged streams that come through one pipe. Each hands on whole characters, so that every
    record of it can be read alone; `finish` gives what was never completed."""

    def __init__(self, source: Pipe) -> None:
        self._source = source
        self._unpacker = tagged.Unpacker()
        self._streams: dict[tuple[int, str], Pipe] = {}
        self._unfinished: dict[Pipe, bytes] = {}

    def feed(self, child: Child, data: bytes | memoryview) -> list[tuple[Pipe, bytes]]:
        """What came, by stream; `child.misused` is set when it was no frame, and what follows is dropped."""
        if child.misused is not None:
            return []
        found, wrong = self._unpacker.feed(data)
        if wrong is not None:
            child.misused = f"What it wrote to {tagged.RECORDS_FD} is not in the form of tagged output: {wrong}"
        return [(self._stream(child, frame), frame.payload) for frame in found if frame.payload]

    def end(self, child: Child) -> None:
        """Nothing more comes."""
        if self._unpacker.pending and child.misused is None:
            child.misused = f"What it wrote to {tagged.RECORDS_FD} ends within a piece of tagged output"

    def _stream(self, child: Child, frame: tagged.Tagged) -> Pipe:
        key = (frame.stream, frame.tag)
        if key not in self._streams:
            made = self._streams[key] = Pipe(-1, frame.stream, child.patterns, frame.tag)
            made.open = False
            made.source = self._source
            child.pipes.append(made)
        return self._streams[key]

    def whole(self, pipe: Pipe, data: bytes) -> bytes:
        """`data` behind what was unfinished before it, without the character that it leaves unfinished."""
        data = self._unfinished.pop(pipe, b"") + data
        rest = _unfinished(data)
        if rest:
            self._unfinished[pipe] = data[-rest:]
            data = data[:-rest]
        return data

    def finish(self, pipe: Pipe) -> bytes:
        """What is left of a stream's last character."""
        return self._unfinished.pop(pipe, b"")


def pieces(data: bytes) -> list[bytes]:
    """`data` as what records can carry, each of which ends where a character does."""
    found: list[bytes] = []
    while len(data) > journal.MAX_PAYLOAD:
        end = journal.MAX_PAYLOAD - _unfinished(data[journal.MAX_PAYLOAD - _UNFINISHED : journal.MAX_PAYLOAD])
        found.append(data[:end])
        data = data[end:]
    return [*found, data]


def _unfinished(data: bytes) -> int:
    """How many bytes at the end are the start of a UTF-8 character whose rest may come."""
    for back in range(1, min(_UNFINISHED, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC2:
            return back if back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) and byte < 0xF5 else 0
        if byte < 0x80 or byte >= 0xC0:
            return 0
    return 0
