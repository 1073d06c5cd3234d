"""How many executions finish in a second, and how long one takes from the request to its success."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from bench.context import Bench, BrokenError, median, percentile
from bench.goals import DONE, RATE
from bench.rows import Row
from bench.servers import Squall, floor, squall
from bench.wire import Connection, post_many

_CONNECTIONS = 8
_PATIENCE = 60.0
_MORE = 20
# A Python action from a warm fork server, and, as its environment says something to the interpreter, from a fresh one.
_COLD = "core.uuid (cold)"
_PARAMETERS: dict[str, dict[str, Any]] = {
    "core.noop": {},
    "core.local": {"cmd": "true"},
    "core.uuid": {},
    _COLD: {"env": {"PYTHONUNBUFFERED": "1"}},
}
_FLOOR_PATHS = {"core.noop": "/noop", "core.local": "/local", "core.uuid": "/local", _COLD: "/local"}
_TOTAL = re.compile(rb"(?i)\r\nx-total-count: *(\d+)")


class _Took(NamedTuple):
    """ms from request to success."""

    p50: float
    p99: float


def rate(bench: Bench) -> Iterator[Row]:
    """Finished executions per second, requested over eight connections."""
    with squall(bench) as ours, floor(bench) as theirs:
        for action, count in (("core.noop", bench.sized(900, 300)), ("core.local", bench.sized(600, 200))):
            squalls, floors = bench.in_turns(
                partial(finished, ours, action, count),
                partial(_posted, theirs.port, _FLOOR_PATHS[action], count),
            )
            name = f"finished executions, {action}, {_CONNECTIONS} connections"
            yield Row(name, "1/s", median(squalls), median(floors), RATE.get(action), more=True)


def _posted(port: int, path: str, count: int) -> float:
    """Executions per second of the floor, whose answer is the end."""
    many = count * _MORE if path == "/noop" else count
    return many / post_many(port, path, {}, many, _CONNECTIONS)


def finished(server: Squall, action: str, count: int, parameters: dict[str, Any] | None = None) -> float:
    """Executions per second from the first request until the last one has succeeded."""
    connection = Connection(server.port)
    try:
        before = succeeded(connection, action)
        began = time.monotonic()
        body = {"action": action.partition(" ")[0], "parameters": parameters or _PARAMETERS[action]}
        post_many(server.port, "/v1/executions", body, count, _CONNECTIONS)
        while succeeded(connection, action) - before < count:
            if time.monotonic() - began > _PATIENCE:
                raise BrokenError(f"{count} executions of {action} had not succeeded after {_PATIENCE:.0f} s")
            time.sleep(0.02)
        return count / (time.monotonic() - began)
    finally:
        connection.close()


def succeeded(connection: Connection, action: str) -> int:
    """How many executions of an action have succeeded (the server counts to 10,000)."""
    path = f"/v1/executions?limit=1&action={action.partition(' ')[0]}&status=succeeded&include_attributes=id"
    status, head, body = connection.request("GET", path)
    found = _TOTAL.search(head)
    if status != 200 or found is None:
        raise BrokenError(f"GET {path} gave {status}: {body[:500]!r}")
    return int(found[1])


def one_by_one(bench: Bench) -> Iterator[Row]:
    """Request to success, one after the other; Squall tells the success on its event stream."""
    count = bench.sized(100, 50)
    with squall(bench) as ours, floor(bench) as theirs:
        for action in _PARAMETERS:
            path = _FLOOR_PATHS[action]
            squalls, floors = bench.in_turns(
                partial(_followed, ours, action, count),
                partial(_answered, theirs.port, path, count),
            )
            for part, goal in (("p50", DONE.get(action)), ("p99", None)):
                yield Row(
                    f"request → succeeded, {action}, {part}",
                    "ms",
                    median([getattr(one, part) for one in squalls]),
                    median([getattr(one, part) for one in floors]),
                    goal,
                )


def _took(seconds: list[float]) -> _Took:
    return _Took(percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000)


def _followed(server: Squall, action: str, count: int) -> _Took:
    body = {"action": action.partition(" ")[0], "parameters": _PARAMETERS[action]}
    connection = Connection(server.port)
    stream = Updates(server.port)
    seconds = []
    try:
        for _ in range(count):
            began = time.monotonic()
            stream.success_of(connection.post("/v1/executions", body)["id"])
            seconds.append(time.monotonic() - began)
    finally:
        connection.close()
        stream.close()
    return _took(seconds)


def _answered(port: int, path: str, count: int) -> _Took:
    connection = Connection(port)
    seconds = []
    try:
        for _ in range(count):
            began = time.monotonic()
            connection.post(path, {})
            seconds.append(time.monotonic() - began)
    finally:
        connection.close()
    return _took(seconds)


class Updates:
    """The event stream, listened to for the updates of executions."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        path = "/stream/v1/stream?events=st2.execution__update"
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self._received = b""
        while b"\r\n\r\n" not in self._received:
            self._receive()

    def _receive(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise BrokenError("the event stream ended")
        self._received += data

    def success_of(self, execution: str) -> None:
        """Waits for the update that tells that the execution has succeeded. Raises `BrokenError` if it fails."""
        name = execution.encode()
        while True:
            event, found, rest = self._received.partition(b"\n\n")
            if not found:
                self._receive()
                continue
            self._received = rest
            if name in event and b'"status":"succeeded"' in event:
                return
            if name in event and b'"status":"failed"' in event:
                raise BrokenError(f"{execution} failed: {event[:2000]!r}")

    def next_running(self) -> None:
        """Waits for the next update that tells that an execution runs."""
        while True:
            event, found, rest = self._received.partition(b"\n\n")
            if not found:
                self._receive()
                continue
            self._received = rest
            if b'"status":"running"' in event:
                return

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()
