"""The two servers that are measured, each a process of its own on a free port of loopback, with a private folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from bench.context import Bench, BrokenError
from bench.wire import Connection

ROOT = Path(__file__).parents[1]
FIREHOSE = ROOT / "src" / "squall" / "packs" / "examples" / "actions" / "firehose.py"
_READY = re.compile(r"ready at http://127\.0\.0\.1:(\d+)")
_PATIENCE = 60.0
_PR_SET_CHILD_SUBREAPER = 36


class Target(Protocol):
    """What a measure needs of a server, whichever it is."""

    @property
    def port(self) -> int:
        """Where it listens."""
        ...

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    def memory(self, field: str = "VmRSS") -> float:
        """What it holds, in MB."""
        ...

    def command(self, cmd: str) -> tuple[str, dict[str, Any]]:
        """Path and body of the request that runs a shell command; its answer has an `id`."""
        ...

    def firehose(self, lines: int, length: int) -> tuple[str, dict[str, Any]]:
        """The same for so many lines of so many bytes, printed at once."""
        ...

    def output(self, form: str) -> str:
        """The path of an output, with `{id}` in it; the forms are `sse`, `raw` and `events` (StackStorm's)."""
        ...


class Server:
    """A running process."""

    def __init__(self, process: subprocess.Popen[str], port: int, started: float) -> None:
        self._process = process
        self.port = port
        self.started = started

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def memory(self, field: str = "VmRSS") -> float:
        """Memory in MB (millions of bytes) of it and of the processes it keeps.

        `field` is one of /proc/PID/status, or `Pss`, which is 0 where it is secret.
        """
        return sum(memory_of(pid, field) for pid in self.family())

    def family(self) -> list[int]:
        """Its own pid and those of all its descendants."""
        parents: dict[int, list[int]] = {}
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                with contextlib.suppress(OSError):
                    parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                    parents.setdefault(parent, []).append(int(path.name))
        found = [self.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def stop(self) -> None:
        """Ends it, gracefully if it can, and what it leaves running."""
        left = self.family()[1:]
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        _reap(left)


def memory_of(pid: int, field: str) -> float:
    """What one process holds, in MB; `field` as in `Server.memory`. 0 when it is gone or hidden."""
    try:
        text = Path(f"/proc/{pid}/{'smaps_rollup' if field == 'Pss' else 'status'}").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def adopt() -> None:
    """Makes this process the parent of what its servers leave, so that it can end that, and count its CPU time."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(pids: list[int]) -> None:
    """Ends adopted processes at once: nothing runs in them any more, they would only wait for a new server."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Squall(Server):
    """`squall serve`."""

    def command(self, cmd: str) -> tuple[str, dict[str, Any]]:
        """See `Target`."""
        return "/v1/executions", {"action": "core.local", "parameters": {"cmd": cmd, "timeout": 600}}

    def firehose(self, lines: int, length: int) -> tuple[str, dict[str, Any]]:
        """See `Target`."""
        return "/v1/executions", {"action": "examples.firehose", "parameters": {"lines": lines, "bytes": length}}

    def output(self, form: str) -> str:
        """See `Target`."""
        if form == "events":
            names = "st2.execution__update,st2.execution.output__create"
            return f"/stream/v1/stream?end_execution_id={{id}}&events={names}"
        return f"/v1/executions/{{id}}/output?format={form}"


class Floor(Server):
    """`floor.py`."""

    def command(self, cmd: str) -> tuple[str, dict[str, Any]]:
        """See `Target`."""
        return "/run", {"cmd": cmd}

    def firehose(self, lines: int, length: int) -> tuple[str, dict[str, Any]]:
        """See `Target`."""
        return "/run", {"cmd": f"exec {FIREHOSE} --lines={lines} --bytes={length}"}

    def output(self, form: str) -> str:
        """See `Target`."""
        return f"/output/{{id}}?format={form}"


def environment() -> dict[str, str]:
    """This process's environment without settings of Squall's or of StackStorm's clients.

    Modules may be kept compiled, as wherever Squall is installed: otherwise every start would compile them anew.
    """
    dropped = ("SQUALL_", "ST2_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def _launch(argv: list[str], log: Path) -> subprocess.Popen[str]:
    with log.open("ab") as errors:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(),
            cwd=ROOT,
        )


def _answers(port: int) -> None:
    connection = Connection(port)
    try:
        status, _, _ = connection.request("GET", "/healthz")
    finally:
        connection.close()
    if status != 200:
        raise BrokenError(f"GET /healthz gave {status}")


def start_squall(data: Path, profile: Path | None = None, packs: Path | None = None) -> Squall:
    """Starts a server on a data directory, with a folder of packs if one is given; `started` is the time in seconds
    until it had answered /healthz.

    With `profile` it runs under cProfile and writes its statistics there when it stops.
    """
    argv = [sys.executable, "-m"]
    if profile is not None:
        argv += ["cProfile", "-o", str(profile), "-m"]
    log = data.with_name(data.name + ".stderr")
    began = time.monotonic()
    more = ["--packs-dir", str(packs)] if packs is not None else []
    process = _launch([*argv, "squall", "serve", "--port", "0", "--data-dir", str(data), *more], log)
    assert process.stdout is not None
    found = _READY.search(process.stdout.readline())
    if found is None:
        process.kill()
        process.wait()
        raise BrokenError(f"squall serve did not start: {log.read_text()[-2000:]}")
    _answers(int(found[1]))
    return Squall(process, int(found[1]), time.monotonic() - began)


def start_floor(root: Path) -> Floor:
    """Starts `floor.py`."""
    began = time.monotonic()
    process = _launch([sys.executable, str(Path(__file__).with_name("floor.py")), str(root)], root / "stderr")
    assert process.stdout is not None
    port = int(process.stdout.readline())
    _answers(port)
    return Floor(process, port, time.monotonic() - began)


@contextlib.contextmanager
def squall(bench: Bench, data: Path | None = None, packs: Path | None = None) -> Iterator[Squall]:
    """A fresh Squall, profiled if that was asked for; with `data` on a data directory that is there already, with
    `packs` on a folder of packs."""
    server = start_squall(data or bench.folder("squall"), bench.profile, packs)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def floor(bench: Bench) -> Iterator[Floor]:
    """A fresh floor."""
    server = start_floor(bench.folder("floor"))
    try:
        yield server
    finally:
        server.stop()


def open_gate(gate: Path) -> None:
    """Lets the program that waits for `gate` go on; waits until it does. Raises `BrokenError` when none comes."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
            return
        except OSError:
            time.sleep(0.005)
    raise BrokenError("the action did not start")
