"""The further pipes of a process beside stdout and stderr: for its result, and for tagged output. Standard library
only.

The pump reads them like any output: it masks their data, pauses them on a full disk, and waits for their end.
"""

from __future__ import annotations

import os
from pathlib import Path

from squall.adapters.keeper.process.child import Child, Pipe, ResultFile
from squall.core.execution.process import LaunchSpec
from squall.core.output import journal, tagged

RESULT_STREAM = 0
"""The stream number of a result, which is not output."""

_MOST_INCOMPLETE = 3


class Descriptors:
    """The further pipes of a process before its start. Raises `OSError`."""

    def __init__(self, spec: LaunchSpec) -> None:
        self._ends: dict[str, tuple[int, int]] = {}
        try:
            if spec.result_limit is not None:
                self._ends[tagged.RESULT_FD] = os.pipe2(os.O_CLOEXEC)
            if spec.tagged:
                self._ends[tagged.RECORDS_FD] = os.pipe2(os.O_CLOEXEC)
        except OSError:
            self.close()
            raise

    @property
    def pass_on(self) -> dict[str, int]:
        """The descriptors that the process inherits, by the environment variable that will hold their number."""
        return {name: writer for name, (_, writer) in self._ends.items()}

    def started(self) -> dict[str, int]:
        """Closes the process's ends in this process. Returns the ends to read from, which the caller then owns."""
        for _, writer in self._ends.values():
            os.close(writer)
        readers = {name: reader for name, (reader, _) in self._ends.items()}
        self._ends = {}
        return readers

    def close(self) -> None:
        """Closes all pipes, if no process could be started."""
        for pair in self._ends.values():
            for fd in pair:
                os.close(fd)
        self._ends = {}


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
