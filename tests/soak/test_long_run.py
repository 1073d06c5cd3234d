"""Hours of everything at once: actions that print, followers that are cut off, a server that is stopped and killed.

Whatever happens, in the end each follower has each byte once and in order, and each execution has its outcome.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.pack import Strings
from tests.scenarios.live.server import OUTPUT, UPDATE, Server, serving

MINUTES = float(os.environ.get("SQUALL_SOAK_MINUTES") or 0)
SETTINGS = {"SQUALL_STREAM_HEARTBEAT_SECONDS": "1", "SQUALL_ACTIONRUNNER_RESULT_OUTPUT_BYTES": "64 KiB"}
ROUND = 20.0
"""About how many seconds one action lives."""

pytestmark = pytest.mark.timeout(MINUTES * 60 + 300)


class Follower:
    """Follows one execution over every loss of its connection; `form` is one of the three ways to read it."""

    def __init__(self, server: Server, execution: str, form: str, rng: random.Random) -> None:
        self._server = server
        self._execution = execution
        self._form = form
        self._rng = rng
        self._last_id = ""
        self._parts: list[bytes] = []

    def run(self, until: float) -> bytes:
        """Reads to the end: what was printed, text as UTF-8. Fails when it has not come at `until` (monotonic)."""
        while time.monotonic() < until:
            try:
                if self._once():
                    return b"".join(self._parts)
            except (OSError, HTTPException):
                # The server is away, or the connection was cut in the middle of a piece.
                time.sleep(self._rng.uniform(0.0, 0.2))
        raise AssertionError(f"{self._form} of {self._execution} has not ended; {len(self._parts)} pieces came")

    def _once(self) -> bool:
        """One connection; whether it brought the end."""
        if self._form == "tail":
            asked = {"end_execution_id": self._execution, "events": f"{UPDATE},{OUTPUT}"}
            stream = self._server.stream(last_event_id=self._last_id, **asked)
        else:
            raw: dict[str, Any] = {"raw_data": "true"} if self._form == "bytes" else {}
            stream = self._server.output(self._execution, format="sse", last_event_id=self._last_id, **raw)
        budget = self._rng.choice([100, 3_000, 50_000, 10_000_000])
        with stream:
            if stream.status != 200:
                return False
            while stream.received < budget:
                data = stream.read(min(65_536, budget - stream.received))
                if not data:
                    break
                for event in stream.parser.feed(data):
                    if event.name == "EOF" or (event.name == UPDATE and "result" in event.body):
                        return True
                    if event.name == OUTPUT:
                        self._parts.append(event.raw if self._form == "bytes" else event.body["data"].encode())
                self._last_id = stream.parser.last_id or self._last_id
        return False


def talk(strings: Strings, rng: random.Random, until: float) -> bytes:
    """Has a puppet print at random until a time; what it printed."""
    said = []
    while time.monotonic() < until:
        piece = rng.choice(
            [b"a line\n", b"\rbar", b"\xff\0", "€".encode()[:2], b"\xac\n", b"a longer line\n" * 50, b"x" * 3_000]
        )
        times = rng.choice([1, 1, 1, 20, 100])
        strings.say(piece, times=times)
        said.append(piece * times)
        time.sleep(rng.choice([0.001, 0.01, 0.05, 0.3]))
    return b"".join(said)


def disturb(server: Server, rng: random.Random, over: threading.Event) -> None:
    """Stops or kills the server again and again, and starts it again."""
    port = server.port
    while not over.wait(rng.uniform(2.0, 8.0)):
        server.signal(rng.choice([signal.SIGTERM, signal.SIGKILL]))
        server.wait()
        server.start(port)


def one_action(server: Server, seed: int, folder: Path) -> None:
    """An action, its followers, and what they all must have seen."""
    rng = random.Random(seed)
    began = time.monotonic()
    strings = Strings(folder / f"orders-{seed}")
    try:
        while True:
            try:
                execution = server.request("live.puppet", orders=str(strings.path))
                break
            except (OSError, HTTPException):
                time.sleep(0.1)
        forms = ["bytes", "text", "tail", rng.choice(["bytes", "text", "tail"])]
        with ThreadPoolExecutor(len(forms)) as pool:
            limit = began + ROUND + 60
            found: list[tuple[str, Future[bytes]]] = []
            for number, form in enumerate(forms):
                follower = Follower(server, execution, form, random.Random(seed * 10 + number))
                found.append((form, pool.submit(follower.run, limit)))
            said = talk(strings, rng, began + rng.uniform(1.0, ROUND))
            strings.end()
            for form, future in found:
                expected = said if form == "bytes" else said.decode("utf-8", "replace").encode()
                assert future.result() == expected, f"{form} of {execution}, seed {seed}"
    finally:
        strings.close()


def test_nothing_is_lost_or_repeated_whatever_happens(tmp_path: Path, packs: Path) -> None:
    over = threading.Event()
    until = time.monotonic() + MINUTES * 60
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    with serving(tmp_path, packs, env=SETTINGS) as server, ThreadPoolExecutor(6) as pool:
        trouble = pool.submit(disturb, server, random.Random(seed), over)
        try:
            while time.monotonic() < until:
                running = [pool.submit(one_action, server, seed + number, tmp_path) for number in range(4)]
                for future in running:
                    future.result()
                seed += 4
        finally:
            over.set()
            trouble.result()
        statuses = {item["status"] for item in server.get("/v1/executions", limit=-1, include_attributes="status")}
        assert statuses == {"succeeded"}
        server.env["SQUALL_SERVER_STOP_ACTIONS"] = "true"
