"""The descriptors of a process: those of its output, a pipe for its result, and one for output under tags. Standard
library only.

The pump reads the last two like any output. So they are masked too, and a full disk holds them back too.
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
    """All descriptors of a process. They are opened before the process starts, so that none can be missing afterwards.

    `terminal` is (master, slave) if the process gets a terminal, else None. `streams` are the child's ends of standard
    output and error, if it has no terminal. Raises `OSError`; then no descriptor stays open.
    """

    def __init__(self, spec: LaunchSpec) -> None:
        self._ends: dict[str, tuple[int, int]] = {}
        self.terminal: tuple[int, int] | None = None
        self._spare = -1
        names = [] if spec.pty is not None else ["stdout", "stderr"]
        names += [tagged.RESULT_FD] if spec.result_limit is not None else []
        names += [tagged.RECORDS_FD] if spec.tagged else []
        try:
            # `pidfd` closes it, so that there is a free descriptor for the process, which only exists after its start.
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
        """The descriptors that the process inherits, by the environment variable that holds the number."""
        return {name: writer for name, (_, writer) in self._ends.items() if name not in journal.STREAM_NUMBERS}

    def started(self) -> dict[str, int]:
        """Closes the process's ends in this process. Returns the ends to read from, which the caller must close."""
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
        """Closes all descriptors. Call it if the process could not be started."""
        for pair in (*self._ends.values(), self.terminal or ()):
            for fd in pair:
                os.close(fd)
        if self._spare >= 0:
            os.close(self._spare)
        self._ends, self.terminal, self._spare = {}, None, -1


def pipe_of(child: Child, name: str, fd: int, results: Path) -> Pipe:
    """Returns the pipe with the reading end `fd`. The variable `name` tells the process its writing end.
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
    """`child.Frames`: the tagged streams of one pipe. Each stream passes on whole characters, so that each record
    can be read alone. `finish` returns a character that was never completed."""

    def __init__(self, source: Pipe) -> None:
        self._source = source
        self._unpacker = tagged.Unpacker()
        self._streams: dict[tuple[int, str], Pipe] = {}
        self._unfinished: dict[Pipe, bytes] = {}

    def feed(self, child: Child, data: bytes | memoryview) -> list[tuple[Pipe, bytes]]:
        """Returns the output in `data`, by stream. At an invalid frame, sets `child.misused` and drops the rest."""
        if child.misused is not None:
            return []
        frames, fault = self._unpacker.feed(data)
        if fault is not None:
            child.misused = f"What it wrote to {tagged.RECORDS_FD} is not in the form of tagged output: {fault}"
        return [(self._stream(child, frame), frame.payload) for frame in frames if frame.payload]

    def end(self, child: Child) -> None:
        """Notes the end of the pipe."""
        if self._unpacker.pending and child.misused is None:
            child.misused = f"What it wrote to {tagged.RECORDS_FD} ends within a piece of tagged output"

    def _stream(self, child: Child, frame: tagged.Tagged) -> Pipe:
        key = (frame.stream, frame.tag)
        if key not in self._streams:
            stream = self._streams[key] = Pipe(-1, frame.stream, child.patterns, frame.tag)
            stream.open = False
            stream.source = self._source
            child.pipes.append(stream)
        return self._streams[key]

    def whole(self, pipe: Pipe, data: bytes) -> bytes:
        """Returns the unfinished character before `data`, and `data` without the unfinished character at its end."""
        data = self._unfinished.pop(pipe, b"") + data
        rest = _unfinished(data)
        if rest:
            self._unfinished[pipe] = data[-rest:]
            data = data[:-rest]
        return data

    def finish(self, pipe: Pipe) -> bytes:
        """Returns the unfinished character at the end of a stream."""
        return self._unfinished.pop(pipe, b"")


def pieces(data: bytes) -> list[bytes]:
    """Splits `data` into pieces that fit into records. Each piece ends with a whole character."""
    parts: list[bytes] = []
    while len(data) > journal.MAX_PAYLOAD:
        end = journal.MAX_PAYLOAD - _unfinished(data[journal.MAX_PAYLOAD - _UNFINISHED : journal.MAX_PAYLOAD])
        parts.append(data[:end])
        data = data[end:]
    return [*parts, data]


def _unfinished(data: bytes) -> int:
    """Returns the number of bytes at the end that begin a UTF-8 character. Its other bytes may follow."""
    for back in range(1, min(_UNFINISHED, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC2:
            return back if back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) and byte < 0xF5 else 0
        if byte < 0x80 or byte >= 0xC0:
            return 0
    return 0
