"""Starts the programs that follow an output, and brings what they found back."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from bench.context import Bench, BrokenError
from bench.servers import FIREHOSE, Target, open_gate
from bench.wire import Connection

_PROGRAMS = Path(__file__).with_name("programs")
_PER_LINE = 500


class Arrivals(NamedTuple):
    """Latencies in ms of lines from print to client, over all followers."""

    p50: float
    p90: float
    p99: float
    worst: float


class Drained(NamedTuple):
    """What one follower got of an output: how much of it, in how many events (or reads), in how many seconds."""

    seconds: float
    payload: int
    pieces: int

    @property
    def mib_per_second(self) -> float:
        """The rate of what the action printed, without what the protocol adds."""
        return self.payload / self.seconds / (1 << 20)


def program(name: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts one of the programs."""
    argv = [sys.executable, "-I", str(_PROGRAMS / f"{name}.py"), *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def await_ready(process: subprocess.Popen[str]) -> None:
    """Waits until the program says `ready`. Raises `BrokenError`."""
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        _, errors = process.communicate()
        raise BrokenError(errors.strip()[-500:])


def answer(process: subprocess.Popen[str], seconds: float = 180) -> dict[str, Any]:
    """The JSON the program ends with. Raises `BrokenError`."""
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise BrokenError(f"no end after {seconds:.0f} s") from error
    if process.returncode:
        raise BrokenError(errors.strip()[-500:])
    found: dict[str, Any] = json.loads(out)
    return found


def gate(bench: Bench) -> Path:
    """A new FIFO for an action to wait at."""
    path = bench.folder("gate") / "gate"
    os.mkfifo(path)
    return path


def begin(target: Target, request: tuple[str, dict[str, Any]]) -> str:
    """Requests an execution; gives its id."""
    connection = Connection(target.port)
    try:
        return str(connection.post(*request)["id"])
    finally:
        connection.close()


def watch_clock(
    bench: Bench,
    target: Target,
    followers: int,
    rate: int,
    seconds: float,
    meanwhile: Callable[[], None] | None = None,
) -> Arrivals:
    """The latency of lines printed at `rate` a second while so many follow. `meanwhile` is called when the action runs,
    before its first line. Raises `BrokenError` if a line is amiss."""
    bench.warm()
    waiting = gate(bench)
    lines = int(rate * seconds)
    clock = [sys.executable, "-I", "-S", str(_PROGRAMS / "clock.py"), str(lines), str(rate), str(waiting)]
    execution = begin(target, target.command("exec " + shlex.join(clock)))
    spec = {
        "port": target.port,
        "path": target.output("sse").replace("{id}", execution),
        "followers": followers,
        "lines": lines,
        "skip": rate // 5,
    }
    process = program("arrivals", json.dumps(spec))
    try:
        await_ready(process)
        if meanwhile is not None:
            meanwhile()
        open_gate(waiting)
        found = answer(process)
    finally:
        process.kill()
        process.wait()
    if found["wrong"]:
        raise BrokenError(f"{found['wrong']} lines were lost, repeated or out of order")
    return Arrivals(found["p50"], found["p90"], found["p99"], found["max"])


@cache
def printed(lines: int, length: int) -> tuple[int, str]:
    """How much the firehose prints, and the hash of it."""
    data = subprocess.run(
        [str(FIREHOSE), f"--lines={lines}", f"--bytes={length}"], stdout=subprocess.PIPE, check=True
    ).stdout
    return len(data), hashlib.sha256(data).hexdigest()


class Drain:
    """A follower that reads as fast as it can, in a process that lives for several runs. Use it as a context."""

    def __init__(self, bench: Bench, lines: int, length: int, form: str) -> None:
        self._bench = bench
        self._lines = lines
        self._length = length
        self._form = form
        self._expected = printed(lines, length)

    def __enter__(self) -> Drain:
        room = self._lines * (self._length + _PER_LINE) if self._form == "events" else self._expected[0] * 5 // 4
        argv = [sys.executable, "-I", str(_PROGRAMS / "drain.py"), str(room + (1 << 20))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, target: Target) -> Drained:
        """Has the lines printed and follows them from the start. Raises `BrokenError` unless all came, once."""
        self._bench.warm()
        self._task({"post": target.firehose(self._lines, self._length), "path": target.output(self._form)}, target)
        return self.result()

    def attach(self, target: Target, execution: str) -> None:
        """Follows an execution whose firehose has not begun yet; returns when the answer has begun."""
        self._task({"path": target.output(self._form).replace("{id}", execution)}, target)
        if self._line() != "ready\n":
            self._fail()

    def _task(self, task: dict[str, Any], target: Target) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**task, "port": target.port, "form": self._form}) + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _fail(self) -> NoReturn:
        _, errors = self._process.communicate()
        raise BrokenError(errors.strip()[-500:] or "the follower ended")

    def result(self) -> Drained:
        """What came of the run under way. Raises `BrokenError` unless every byte came, once and in order."""
        line = self._line()
        if not line:
            self._fail()
        found = json.loads(line)
        size, digest = self._expected
        if found["bytes"] != size or found["sha256"] != digest:
            raise BrokenError(f"{found['bytes']} bytes arrived of {size}, or not the same ones")
        return Drained(found["seconds"], size, found["pieces"])
