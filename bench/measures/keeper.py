"""What the keeper adds, what masking costs, what both hold in memory, and what they do to their neighbours."""

from __future__ import annotations

import base64
import os
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from functools import partial

from bench import goals
from bench.context import Bench, BrokenError, median, percentile
from bench.followers import Arrivals, Drain, begin, watch_clock
from bench.keepers import Kept, clock_command, delays, monotonic_of, with_keeper
from bench.rows import Goal, Row
from bench.servers import Squall, memory_of, squall
from bench.wire import Connection
from squall.core.output.masking import Masker, Patterns

_MIB = 1 << 20
_LINES_A_SECOND = 200
_ACTIONS = 500
_FLOODS = 8
_FLOOD = "exec yes 'a line that comes again and again, without end'"
_READ = 32 << 10


def keeper(bench: Bench) -> Iterator[Row]:
    """Printed to committed in the journal, and how fast; the floor reads the same pipe and appends to a file."""
    lines = bench.sized(800, 300)
    ours, theirs = bench.in_turns(
        lambda: with_keeper(bench, partial(_kept_delays, lines=lines)), lambda: _piped_delays(lines)
    )
    for part, share in (("p50", 0.5), ("p99", 0.99)):
        yield Row(
            f"line printed → committed by the keeper, {_LINES_A_SECOND} lines/s, {part}",
            "ms",
            median([percentile(one, share) for one in ours]),
            median([percentile(one, share) for one in theirs]),
        )
    size = bench.sized(1024, 256)
    rates, below = bench.in_turns(
        lambda: with_keeper(bench, partial(_kept_rate, size=size)), lambda: _piped_rate(bench, size)
    )
    yield Row(f"{size} MiB of an action into the journal", "MiB/s", median(rates), median(below), more=True)


async def _kept_delays(kept: Kept, lines: int) -> list[float]:
    execution = await kept.begin(clock_command(lines, _LINES_A_SECOND))
    await kept.end(execution)
    records = await kept.records(execution)
    return delays([(monotonic_of(record), bytes(record.payload)) for record in records], lines)


def _piped_delays(lines: int) -> list[float]:
    pieces = []
    with subprocess.Popen(["/bin/sh", "-c", clock_command(lines, _LINES_A_SECOND)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 128 << 10):
            pieces.append((time.monotonic(), data))
    return delays(pieces, lines)


def _producer(size: int) -> str:
    return f"exec dd if=/dev/zero bs=64k count={size * 16} status=none"


async def _kept_rate(kept: Kept, size: int) -> float:
    execution = await kept.begin(_producer(size))
    began = time.monotonic()
    await kept.end(execution)
    seconds = time.monotonic() - began
    printed = sum(len(record.payload) for record in await kept.records(execution))
    if printed != size * _MIB:
        raise BrokenError(f"{printed} bytes of {size} MiB")
    return size / seconds


def _piped_rate(bench: Bench, size: int) -> float:
    target = bench.folder("piped") / "output"
    began = time.monotonic()
    with (
        subprocess.Popen(["/bin/sh", "-c", _producer(size)], stdout=subprocess.PIPE) as process,
        target.open("wb", buffering=0) as file,
    ):
        assert process.stdout is not None
        while data := os.read(process.stdout.fileno(), 128 << 10):
            file.write(data)
        os.fdatasync(file.fileno())
    return size / (time.monotonic() - began)


def masking(bench: Bench) -> Iterator[Row]:
    """One stream in reads of 32 KiB through the masker, with the forms of 20 secrets; the floor copies the reads."""
    rng = random.Random(20)
    usual = [_word(rng, rng.randrange(8, 41)) for _ in range(20)]
    kinds = {
        "20 secrets of 8 to 40 characters": usual,
        "20 secrets of 4 to 7 characters": [_word(rng, rng.randrange(4, 8)) for _ in range(20)],
    }
    size = bench.sized(24, 8) * _MIB
    texts = {"a log": _log(rng, size), "base64": base64.b64encode(rng.randbytes(size * 3 // 4)), "hex": _hex(rng, size)}
    for kind, secrets in kinds.items():
        patterns = Patterns(secrets)
        promised = secrets is usual
        for name, text in texts.items():
            goal = Goal(*goals.MASKING) if promised and name == "a log" else None
            yield _masked(bench, f"masking {name}, {kind}, no hit", patterns, text, goal)
        hits = _with_hits(rng, texts["a log"], secrets)
        goal = Goal(*goals.MASKING_HITS) if promised else None
        yield _masked(bench, f"masking a log, {kind}, a hit every 20 KB", patterns, hits, goal)
    yield Row("forms of 20 secrets of 8 to 40 characters", "forms", float(len(Patterns(usual))))


def _masked(bench: Bench, name: str, patterns: Patterns, text: bytes, goal: Goal | None) -> Row:
    view = memoryview(text)

    def rate(masker: Masker | None) -> float:
        began = time.perf_counter()
        for at in range(0, len(view), _READ):
            piece = view[at : at + _READ]
            if masker is None:
                bytes(piece)
            else:
                masker.feed(piece)
        return len(view) / _MIB / (time.perf_counter() - began)

    ours, theirs = bench.in_turns(lambda: rate(Masker(patterns)), lambda: rate(None))
    return Row(name, "MiB/s", median(ours), median(theirs), goal, more=True)


def _word(rng: random.Random, length: int) -> bytes:
    signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!$%&/"
    return "".join(rng.choices(signs, k=length)).encode()


def _log(rng: random.Random, size: int) -> bytes:
    words = [
        "connected",
        "to",
        "host",
        "10.20.30.40",
        "port=8443",
        "user",
        "failed",
        "retry",
        "GET",
        "/v1/items",
        "200",
    ]
    lines = [
        f"2026-01-{rng.randrange(1, 29):02} 12:{rng.randrange(60):02} INFO [{rng.randrange(1 << 20)}] "
        f"{' '.join(rng.choices(words, k=9))}\n"
        for _ in range(20_000)
    ]
    text = "".join(lines).encode()
    return (text * (size // len(text) + 1))[:size]


def _hex(rng: random.Random, size: int) -> bytes:
    text = rng.randbytes(size // 2).hex().encode()
    return b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))


def _with_hits(rng: random.Random, text: bytes, secrets: list[bytes]) -> bytes:
    pieces = []
    for at in range(0, len(text), 20_000):
        secret = rng.choice(secrets)
        pieces += [text[at : at + 20_000], rng.choice([secret, base64.b64encode(b"x" + secret)])]
    return b"".join(pieces)


def neighbours(bench: Bench) -> Iterator[Row]:
    """Another action's line beside eight masked `yes`: of one that ran before, and of one that came later."""
    seconds = bench.sized(4, 2)
    for name, late in (("that began before", False), ("that begins after", True)):
        found = []
        for _ in range(1 if bench.profile else 2):
            with squall(bench) as server:
                found.append(_beside(bench, server, seconds, late))
        for part, goal in (("p50", Goal(*goals.NEIGHBOUR)), ("p99", None)):
            yield Row(
                f"line printed → at an SSE client, beside {_FLOODS} masked `yes`, of an action {name} them, {part}",
                "ms",
                median([getattr(one, part) for one in found]),
                goal=goal,
            )


def _beside(bench: Bench, server: Squall, seconds: int, late: bool) -> Arrivals:
    floods: list[str] = []

    def flood() -> None:
        path, body = server.command(_FLOOD)
        # A parameter whose value is secret: it is masked in the output.
        body["parameters"]["sudo_password"] = "not-in-the-output"
        floods.extend(begin(server, (path, body)) for _ in range(_FLOODS))
        _await_output(server, floods)

    if late:
        flood()
        # A keeper says that it is busy twice a second.
        time.sleep(1.5)
    found = watch_clock(bench, server, 1, _LINES_A_SECOND, seconds, None if late else flood)
    connection = Connection(server.port)
    for execution in floods:
        connection.request("DELETE", f"/v1/executions/{execution}")
    connection.close()
    return found


def _await_output(server: Squall, executions: list[str]) -> None:
    for execution in executions:
        address = f"http://127.0.0.1:{server.port}/v1/executions/{execution}/output?format=raw"
        with urllib.request.urlopen(address, timeout=30) as answer:
            if not answer.read(1):
                raise BrokenError("a flood prints nothing")


def memory(bench: Bench) -> Iterator[Row]:
    """The server while it passes on 1 GiB, and the keeper with 500 running actions."""
    size = bench.sized(1024, 256)
    lines = size * _MIB // 100
    with squall(bench) as server, Drain(bench, lines, 100, "sse") as drain:
        drain.run(server)
        most = memory_of(server.pid, "VmHWM")
    yield Row(
        f"most memory of the server while {size} MiB are printed and followed", "MB", most, goal=Goal(*goals.SERVER)
    )
    for name, secrets, goal in (
        ("", (), Goal(*goals.PER_ACTION)),
        (", each with two secrets", (b"a-secret-of-this-action", b"another-one"), None),
    ):
        empty, full = with_keeper(bench, partial(_many, secrets=secrets))
        yield Row(f"memory of the keeper with {_ACTIONS} running actions that have printed{name}", "MB", full, empty)
        each = (full - empty) * 1000 / _ACTIONS
        yield Row(f"the keeper's memory for each running action{name}", "kB", each, goal=goal)


async def _many(kept: Kept, secrets: tuple[bytes, ...]) -> tuple[float, float]:
    """MB of an idle keeper, and with many actions."""
    empty = memory_of(kept.pid, "VmRSS")
    began = [await kept.begin("echo begun; exec sleep 7777", secrets) for _ in range(_ACTIONS)]
    # What was printed by the last one has been read when one more has come and gone.
    await kept.end(await kept.begin("echo through"))
    full = memory_of(kept.pid, "VmRSS")
    for execution in began:
        await kept.launcher.cancel(execution)
    for execution in began:
        await kept.end(execution)
    return empty, full
