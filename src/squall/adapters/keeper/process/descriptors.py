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
"""The stream number of a result, which is not output."""

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
        """Closes the process's ends in this process. Returns the ends to read from, which the caller then owns."""
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
    """Returns the pipe with the reading end `fd`, whose other end the process has by the environment variable `name`.
    `results` is the folder of result files."""
    if name == tagged.RECORDS_FD:
        pipe = Pipe(fd, RESULT_STREAM, None)
        pipe.frames = TaggedFrames(pipe)
        return pipe
    pipe = Pipe(fd, RESULT_STREAM, child.patterns)
    spec = child.spec
    pipe.result = child.result = ResultFile(results / f"{spec.unit}.{spec.attempt}", spec.result_limit or 0)
    return pipe


class TaggedFrames:
    """The `child.Frames` of one pipe with tagged streams. Each stream yields complete characters, so that every record
    is readable alone; `finish` returns an incomplete last character."""

    def __init__(self, source: Pipe) -> None:
        self._source = source
        self._unpacker = tagged.Unpacker()
        self._streams: dict[tuple[int, str], Pipe] = {}
        self._incomplete: dict[Pipe, bytes] = {}

    def feed(self, child: Child, data: bytes | memoryview) -> list[tuple[Pipe, bytes]]:
        """Returns the payloads in `data` with their streams. If `data` is not tagged output, sets `child.misused` and
        drops the rest."""
        if child.misused is not None:
            return []
        frames, fault = self._unpacker.feed(data)
        if fault is not None:
            child.misused = f"The data that it wrote to {tagged.RECORDS_FD} is not tagged output: {fault}"
        return [(self._stream(child, frame), frame.payload) for frame in frames if frame.payload]

    def end(self, child: Child) -> None:
        """Handles the end of the pipe. If it cut off a frame, sets `child.misused`."""
        if self._unpacker.pending and child.misused is None:
            child.misused = f"The data that it wrote to {tagged.RECORDS_FD} ends within a piece of tagged output"

    def _stream(self, child: Child, frame: tagged.Tagged) -> Pipe:
        key = (frame.stream, frame.tag)
        if key not in self._streams:
            stream = self._streams[key] = Pipe(-1, frame.stream, child.patterns, frame.tag)
            stream.open = False
            stream.source = self._source
            child.pipes.append(stream)
        return self._streams[key]

    def whole(self, pipe: Pipe, data: bytes) -> bytes:
        """Returns the incomplete character of the previous call and `data`, without an incomplete character at the
        end. That one is stored for the next call."""
        data = self._incomplete.pop(pipe, b"") + data
        rest = _incomplete_bytes(data)
        if rest:
            self._incomplete[pipe] = data[-rest:]
            data = data[:-rest]
        return data

    def finish(self, pipe: Pipe) -> bytes:
        """Returns the bytes of a stream's incomplete last character; empty if there is none."""
        return self._incomplete.pop(pipe, b"")


def pieces(data: bytes) -> list[bytes]:
    """Splits `data` into pieces that fit into a record. Each but the last ends at the end of a character."""
    full: list[bytes] = []
    while len(data) > journal.MAX_PAYLOAD:
        end = journal.MAX_PAYLOAD - _incomplete_bytes(
            data[journal.MAX_PAYLOAD - _MOST_INCOMPLETE : journal.MAX_PAYLOAD]
        )
        full.append(data[:end])
        data = data[end:]
    return [*full, data]


def _incomplete_bytes(data: bytes) -> int:
    """Returns the number of bytes at the end of `data` that are the start of an incomplete UTF-8 character."""
    for back in range(1, min(_MOST_INCOMPLETE, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC2:
            return back if back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) and byte < 0xF5 else 0
        if byte < 0x80 or byte >= 0xC0:
            return 0
    return 0
