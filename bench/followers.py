"""Starts the programs that follow an output, and brings what they found back."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bench.context import Bench, BrokenError
from bench.servers import FIREHOSE, Target, open_gate
from bench.wire import Connection

_PROGRAMS = Path(__file__).with_name("programs")
_PER_LINE = 500


class Arrivals(NamedTuple):
    """Latencies in ms of lines from print to client, over all followers; `busy` is the client's CPU share."""

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


def watch_clock(bench: Bench, target: Target, followers: int, rate: int, seconds: float) -> Arrivals:
    """The latency of lines printed at `rate` a second while so many follow. Raises `BrokenError` if one is amiss."""
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


def drain_spec(target: Target, form: str, lines: int, length: int) -> dict[str, Any]:
    """What `drain.py` needs to know to follow so many lines."""
    room = lines * (length + _PER_LINE) if form == "events" else lines * length * 5 // 4
    return {"port": target.port, "path": target.output(form), "form": form, "capacity": room + (1 << 20)}


def drained(found: dict[str, Any], lines: int, length: int) -> Drained:
    """What `drain.py` found. Raises `BrokenError` unless every byte came, once and in order."""
    size, digest = printed(lines, length)
    if found["bytes"] != size or found["sha256"] != digest:
        raise BrokenError(f"{found['bytes']} bytes arrived of {size}, or not the same ones")
    return Drained(found["seconds"], size, found["pieces"])


def drain(target: Target, form: str, lines: int, length: int) -> Drained:
    """Has so many lines printed and follows them as fast as they come."""
    printed(lines, length)
    spec = drain_spec(target, form, lines, length)
    process = program("drain", json.dumps({**spec, "post": target.firehose(lines, length)}))
    return drained(answer(process), lines, length)
