"""Takes samples of a server from outside: its processes by /proc, its files, and its rows by a read-only connection."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from tests.growth.growth import Sample
from tests.scenarios.live.server import Server

ROLES = {
    "linereader": "a line reader",
    "evaluator": "an evaluator",
    " --serve ": "a fork server",
    "keeper": "a keeper",
}

OLDEST = "seconds since the end of the oldest execution"


class Sampler(threading.Thread):
    """Takes a sample of a server each second until `over` is set."""

    def __init__(self, server: Server, over: threading.Event) -> None:
        super().__init__(name="sampler")
        self._server = server
        self._over = over
        self.samples: list[Sample] = []
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Samples until the time is over. A fault is kept for `result`."""
        try:
            while not self._over.wait(1.0):
                self.samples.append(sample(self._server))
        except BaseException as fault:
            self.fault = fault

    def result(self) -> list[Sample]:
        """Waits for the thread. Returns all samples, or raises what went wrong."""
        self.join()
        if self.fault is not None:
            raise self.fault
        return self.samples


def sample(server: Server) -> Sample:
    """Returns what the processes of a server, its files and its tables hold now."""
    values: dict[str, float] = {}
    for pid, role in processes(server).items():
        # A process may end while it is looked at; one that has ended and is not yet reaped has no memory.
        with suppress(OSError, KeyError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            one = {
                f"descriptors of {role} {pid}": float(len(os.listdir(f"/proc/{pid}/fd"))),
                f"threads of {role} {pid}": float(status["Threads"]),
                f"memory of {role} {pid}": float(status["VmRSS"].split()[0]) * 1024,
            }
            values |= one
    for folder, count in files(server.data_dir).items():
        values[f"files in {folder}"] = count
    database = server.data_dir / "squall.db"
    for table, count in rows(database).items():
        values[f"rows of {table}"] = count
    values[OLDEST] = oldest(database)
    return Sample(time.monotonic(), values)


def processes(server: Server) -> dict[int, str]:
    """Returns the role of each lasting process of a server, by pid. Actions are left out: they come and go."""
    parents: dict[int, int] = {}
    words: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            pid = int(path.name)
            words[pid] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            parents[pid] = int((path / "stat").read_bytes().rpartition(b")")[2].split()[1])
    homes = str(server.data_dir / "keepers")
    own = {server.process.pid} | {pid for pid, line in words.items() if homes in line}
    while more := {pid for pid, parent in parents.items() if parent in own and pid not in own}:
        own |= more
    roles = {server.process.pid: "the server"}
    for pid in own - roles.keys():
        role = next((name for word, name in ROLES.items() if word in words.get(pid, "")), None)
        if role is not None:
            roles[pid] = role
    return roles


def files(folder: Path) -> Counter[str]:
    """Returns the number of files below each folder in a data directory; "." are those directly in it."""
    counts: Counter[str] = Counter()
    for place, _, names in os.walk(folder):
        counts[Path(place).relative_to(folder).parts[0] if Path(place) != folder else "."] += len(names)
    return counts


def rows(database: Path) -> dict[str, int]:
    """Returns the number of rows of each table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return {table: _count(connection, table) for table in _tables(connection)}


def oldest(database: Path) -> float:
    """Returns the seconds since the end of the execution that ended first and is still there; 0 if there is none."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        ((end,),) = connection.execute("SELECT min(end_us) FROM executions").fetchall()
    return max(0.0, time.time() - end / 1e6) if end is not None else 0.0


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if not name.startswith("sqlite_"):
            yield name


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
