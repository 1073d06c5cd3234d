"""The run log: a keeper's record of its processes, which a server reads if the keeper has died.

It has one JSON object per line: `start` before a process starts, `pid` when it has started, `end` when the process has
exited and its output is stored, `ack` when a server has acknowledged the end. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from squall.adapters.durable import sync_folder, write_all
from squall.adapters.keeper.fields import from_fields, to_fields
from squall.core.execution.process import End

_COMPACT_ABOVE = 1 << 20

Key = tuple[str, int]
"""A unit and the attempt at running it."""


class Started(NamedTuple):
    """The first line about an attempt: the keeper is about to start a process."""

    unit: str
    attempt: int
    tree: str


class Process(NamedTuple):
    """The line about an attempt's process: the pid, its start time in ticks since the boot with the id `boot`, and the
    folder of its cgroup."""

    unit: str
    attempt: int
    pid: int
    started: int
    boot: str
    group: str | None


class Acknowledged(NamedTuple):
    """The last line about an attempt: a server has acknowledged its end."""

    unit: str
    attempt: int


Line = Started | Process | End | Acknowledged
_NAMES: dict[type[Any], str] = {Started: "start", Process: "pid", End: "end", Acknowledged: "ack"}
_KINDS: dict[str, type[Any]] = {name: kind for kind, name in _NAMES.items()}


class Entry:
    """The lines about one attempt that has not been acknowledged."""

    __slots__ = ("end", "process", "start")

    def __init__(self, start: Started) -> None:
        self.start = start
        self.process: Process | None = None
        self.end: End | None = None


def read_log(path: Path) -> dict[Key, Entry]:
    """Returns the entries of a log that have not been acknowledged. Skips a line that a crash cut off."""
    entries: dict[Key, Entry] = {}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return entries
    for text in data.split(b"\n")[:-1]:
        line = _read(text)
        if line is None:
            continue
        key = (line.unit, line.attempt)
        if isinstance(line, Started):
            entries[key] = Entry(line)
        elif isinstance(line, Acknowledged):
            entries.pop(key, None)
        elif key in entries and isinstance(line, Process):
            entries[key].process = line
        elif key in entries and isinstance(line, End):
            entries[key].end = line
    return entries


def _read(text: bytes) -> Line | None:
    try:
        fields = json.loads(text)
        line: Line = from_fields(_KINDS[fields["log"]], fields)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return line


def _written(line: Line) -> bytes:
    fields = {"log": _NAMES[type(line)], **to_fields(line)}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


class RunLog:
    """The log of a living keeper. `entries` are the attempts that have not been acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries = read_log(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        sync_folder(path.parent)
        self._size = os.fstat(self._descriptor).st_size
        self._torn = False
        self._failure: OSError | None = None

    def start(self, line: Started) -> None:
        """Logs that a process is about to start."""
        self.entries[line.unit, line.attempt] = Entry(line)
        self._write(line)

    def pid(self, line: Process) -> None:
        """Logs that the process has started."""
        self.entries[line.unit, line.attempt].process = line
        self._write(line)

    def end(self, end: End) -> None:
        """Logs that the process has exited and its output is stored."""
        entry = self.entries.get((end.unit, end.attempt))
        if entry is not None:
            entry.end = end
        self._write(end)

    def acknowledge(self, unit: str, attempt: int) -> None:
        """Logs that a server has acknowledged the end. Compacts the log if it is large."""
        if self.entries.pop((unit, attempt), None) is not None:
            self._write(Acknowledged(unit, attempt))
            if self._size > _COMPACT_ABOVE:
                self._compact()

    def flush(self) -> None:
        """Makes the log durable. After a failed sync, or a line that could not be written, fails until `renew` has
        written the log anew. Another thread may write lines meanwhile. Raises `OSError`."""
        if self._failure is not None:
            raise self._failure
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._failure = error
            raise

    def renew(self) -> None:
        """Writes the log anew, from memory, if a line or a sync has failed. Raises `OSError`."""
        if self._failure is not None:
            self._write_anew()

    def _write(self, line: Line) -> None:
        data = _written(line)
        if self._torn:
            # A full disk cut off the previous line; without a newline, this one would be part of it.
            data = b"\n" + data
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            written = 0
            self._failure = error
        self._torn = written != len(data)
        if self._torn and self._failure is None:
            self._failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # A full disk must not end a keeper. The entry stays in memory, and the next compaction writes it.
        self._size = _COMPACT_ABOVE + 1 if self._torn else self._size + written

    def _compact(self) -> None:
        """Writes the log anew because it is large."""
        # If it fails, the old log is complete; the next acknowledgement tries again.
        with contextlib.suppress(OSError):
            self._write_anew()

    def _write_anew(self) -> None:
        """Replaces the log with one that has only the unacknowledged entries. Raises `OSError`; then the old log stays
        in use."""
        fresh = self._path.with_suffix(".new")
        lines = [
            _written(line)
            for entry in self.entries.values()
            for line in (entry.start, entry.process, entry.end)
            if line is not None
        ]
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_APPEND, 0o600)
        try:
            write_all(descriptor, b"".join(lines))
            os.fdatasync(descriptor)
            fresh.replace(self._path)
        except OSError:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._size = sum(map(len, lines))
        self._torn = False
        self._failure = None
        try:
            # Otherwise a loss of power could bring the old log back, without the lines that follow.
            sync_folder(self._path.parent)
        except OSError as error:
            self._failure = error
            raise
