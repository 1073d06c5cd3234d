"""The run log: what a server must know about the processes of a keeper, also when the keeper is gone.

One JSON object a line: `start` before a process is made, `pid` when it is there, `end` when it and its output are
through, `ack` when a server has taken care of that. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from squall.adapters.durable import sync_folder
from squall.adapters.keeper.fields import from_fields, to_fields
from squall.core.execution.process import End

_COMPACT_ABOVE = 1 << 20

Key = tuple[str, int]
"""A unit and the attempt at running it."""


class Started(NamedTuple):
    """The first line about an attempt: a process is about to be made."""

    unit: str
    attempt: int
    tree: str


class Process(NamedTuple):
    """The line about its process: the pid, its start in ticks since the boot with this id, and its cgroup's folder."""

    unit: str
    attempt: int
    pid: int
    started: int
    boot: str
    group: str | None


class Acknowledged(NamedTuple):
    """The last line about an attempt: a server has taken care of its end."""

    unit: str
    attempt: int


Line = Started | Process | End | Acknowledged
_NAMES: dict[type[Any], str] = {Started: "start", Process: "pid", End: "end", Acknowledged: "ack"}
_KINDS: dict[str, type[Any]] = {name: kind for kind, name in _NAMES.items()}


class Entry:
    """What the log says of one attempt that has not been acknowledged."""

    __slots__ = ("end", "process", "start")

    def __init__(self, start: Started) -> None:
        self.start = start
        self.process: Process | None = None
        self.end: End | None = None


def read_log(path: Path) -> dict[Key, Entry]:
    """Returns what a log holds that has not been acknowledged. Leaves out a line that a crash cut off."""
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
    except (ValueError, KeyError, TypeError):
        return None
    return line


def _written(line: Line) -> bytes:
    fields = {"log": _NAMES[type(line)], **to_fields(line)}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


class RunLog:
    """The log of a living keeper. `entries` is what has not been acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries = read_log(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        sync_folder(path.parent)
        self._size = os.fstat(self._descriptor).st_size
        self._torn = False

    def start(self, line: Started) -> None:
        """Before a process is made."""
        self.entries[line.unit, line.attempt] = Entry(line)
        self._write(line)

    def pid(self, line: Process) -> None:
        """When the process is there."""
        self.entries[line.unit, line.attempt].process = line
        self._write(line)

    def end(self, end: End) -> None:
        """When the process and its output are through."""
        entry = self.entries.get((end.unit, end.attempt))
        if entry is not None:
            entry.end = end
        self._write(end)

    def acknowledge(self, unit: str, attempt: int) -> None:
        """When a server has taken care of the end."""
        if self.entries.pop((unit, attempt), None) is not None:
            self._write(Acknowledged(unit, attempt))
            if self._size > _COMPACT_ABOVE:
                self._compact()

    def flush(self) -> None:
        """Makes the log durable."""
        os.fdatasync(self._descriptor)

    def _write(self, line: Line) -> None:
        data = _written(line)
        if self._torn:
            # What a full disk cut off must not swallow this line.
            data = b"\n" + data
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            written = 0
        self._torn = written != len(data)
        # A full disk must not end a keeper; the entry lives on in memory, and the next compaction writes it.
        self._size = _COMPACT_ABOVE + 1 if self._torn else self._size + written

    def _compact(self) -> None:
        """Writes the log anew with what is still needed."""
        fresh = self._path.with_suffix(".new")
        lines = [
            _written(line)
            for entry in self.entries.values()
            for line in (entry.start, entry.process, entry.end)
            if line is not None
        ]
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_APPEND, 0o600)
            data = b"".join(lines)
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, "no space for a run log")
            os.fdatasync(descriptor)
        except OSError:
            # The old log is whole; the next acknowledgement tries again.
            return
        fresh.replace(self._path)
        with contextlib.suppress(OSError):
            # Otherwise a loss of power could bring the old log back, without the lines that follow.
            sync_folder(self._path.parent)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._torn = False
