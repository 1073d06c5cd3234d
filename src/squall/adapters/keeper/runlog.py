"""The run log: what a server must know about the processes of a keeper, also when the keeper is gone.

One JSON object a line: `start` before a process is made, `pid` when it is there, `end` when it and its output are
through, `ack` when a server has taken care of that. Standard library only.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

_COMPACT_ABOVE = 1 << 20

Key = tuple[str, int]


class Entry:
    """What the log says of one (execution, attempt)."""

    __slots__ = ("end", "pid", "start")

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        self.pid: dict[str, Any] | None = None
        self.end: dict[str, Any] | None = None


def read_log(path: Path) -> dict[Key, Entry]:
    """What a log holds that has not been acknowledged. A line that was cut off by a crash is left out."""
    found: dict[Key, Entry] = {}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return found
    for line in data.split(b"\n")[:-1]:
        try:
            message = json.loads(line)
            key = (str(message["execution"]), int(message["attempt"]))
            kind = message["log"]
        except (ValueError, KeyError, TypeError):
            continue
        if kind == "start":
            found[key] = Entry(message)
        elif key in found and kind == "pid":
            found[key].pid = message
        elif key in found and kind == "end":
            found[key].end = message
        elif kind == "ack":
            found.pop(key, None)
    return found


class RunLog:
    """The log of a living keeper. `entries` is what has not been acknowledged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries = read_log(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        self._torn = False

    def start(self, execution: str, attempt: int, tree: str) -> None:
        """Before a process is made."""
        message = {"log": "start", "execution": execution, "attempt": attempt, "tree": tree}
        self.entries[(execution, attempt)] = Entry(message)
        self._write(message)

    def pid(self, execution: str, attempt: int, pid: int, started: int, boot: str, group: str | None) -> None:
        """When the process is there: its pid and start (ticks since the boot with this id), and its cgroup's folder."""
        message = {
            "log": "pid",
            "execution": execution,
            "attempt": attempt,
            "pid": pid,
            "started": started,
            "boot": boot,
            "group": group,
        }
        self.entries[(execution, attempt)].pid = message
        self._write(message)

    def end(self, message: dict[str, Any]) -> None:
        """When the process and its output are through; `message` has `execution`, `attempt` and how it ended."""
        logged = {**message, "log": "end"}
        entry = self.entries.get((message["execution"], message["attempt"]))
        if entry is not None:
            entry.end = logged
        self._write(logged)

    def acknowledge(self, execution: str, attempt: int) -> None:
        """When a server has taken care of the end."""
        if self.entries.pop((execution, attempt), None) is not None:
            self._write({"log": "ack", "execution": execution, "attempt": attempt})
            if self._size > _COMPACT_ABOVE:
                self._compact()

    def flush(self) -> None:
        """Makes the log durable."""
        os.fdatasync(self._descriptor)

    def _write(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if self._torn:
            # What a full disk cut off must not swallow this line.
            line = b"\n" + line
        try:
            written = os.write(self._descriptor, line)
        except OSError:
            written = 0
        self._torn = written != len(line)
        # A full disk must not end a keeper; the entry lives on in memory, and the next compaction writes it.
        self._size = _COMPACT_ABOVE + 1 if self._torn else self._size + written

    def _compact(self) -> None:
        """Writes the log anew with what is still needed."""
        fresh = self._path.with_suffix(".new")
        lines = [
            json.dumps(message, separators=(",", ":"))
            for entry in self.entries.values()
            for message in (entry.start, entry.pid, entry.end)
            if message is not None
        ]
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_APPEND, 0o600)
            data = "".join(line + "\n" for line in lines).encode()
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, "no space for a run log")
            os.fdatasync(descriptor)
        except OSError:
            # The old log is whole; the next acknowledgement tries again.
            return
        fresh.replace(self._path)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._torn = False
