"""Follows an output that `clock.py` prints with many connections and tells when each line arrived on each of them.

Run it as `python -I arrivals.py '{"port", "path", "followers", "lines", "skip"}'`. It prints `ready` when every
connection has the head of its answer, and at the end one line of JSON. What arrives is only stored with its time;
it is looked at when all is over, so that looking costs no latency.
"""

import bisect
import gc
import json
import re
import select
import socket
import sys
import time
from typing import Any

_SILENCE = 30.0
_LINE = re.compile(rb"(\d{7}) (\d{9,20}) x")

Arrived = list[tuple[int, bytes]]


def connect(port: int, path: str) -> socket.socket:
    """A connection whose answer has begun."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    return sock


def begun(sock: socket.socket) -> None:
    """Waits for the head of the answer."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(65536)
        if not data:
            raise SystemExit(f"the server closed the connection: {head!r}")
        head += data
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the server refused: {head!r}")
    sock.setblocking(False)


def receive(socks: list[socket.socket]) -> list[Arrived]:
    """Everything that comes on each connection until it is closed, with its time."""
    poll = select.epoll()
    arrived: list[Arrived] = [[] for _ in socks]
    by_number = {sock.fileno(): (sock.recv, arrived[number].append) for number, sock in enumerate(socks)}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    now = time.monotonic_ns
    while by_number:
        ready = poll.poll(_SILENCE)
        if not ready:
            raise SystemExit(f"nothing came for {_SILENCE:.0f} s; {len(by_number)} connections are still open")
        for number, _ in ready:
            recv, keep = by_number[number]
            data = recv(262144)
            if data:
                keep((now(), data))
            else:
                poll.unregister(number)
                del by_number[number]
    return arrived


def latencies(arrived: Arrived, lines: int, skip: int) -> tuple[list[int], int]:
    """The latency (ns) of each line from number `skip` on, and how many lines are missing, repeated or out of order."""
    times = [at for at, _ in arrived]
    ends: list[int] = []
    end = 0
    for _, data in arrived:
        end += len(data)
        ends.append(end)
    found: list[int] = []
    wrong = 0
    expected = 0
    for match in _LINE.finditer(b"".join([data for _, data in arrived])):
        number = int(match[1])
        wrong += number != expected
        expected = number + 1
        if number >= skip:
            found.append(times[bisect.bisect_left(ends, match.end())] - int(match[2]))
    return found, wrong + abs(lines - expected)


def main(spec: dict[str, Any]) -> None:
    """Connects, waits, receives, and tells."""
    gc.disable()
    socks = [connect(spec["port"], spec["path"]) for _ in range(spec["followers"])]
    for sock in socks:
        begun(sock)
    print("ready", flush=True)
    arrived = receive(socks)
    found: list[int] = []
    wrong = 0
    for one in arrived:
        some, bad = latencies(one, spec["lines"], spec["skip"])
        found += some
        wrong += bad
    found.sort()
    if not found:
        raise SystemExit("no line arrived")

    def at(share: float) -> float:
        return found[min(len(found) - 1, int(len(found) * share))] / 1e6

    print(
        json.dumps(
            {
                "p50": at(0.5),
                "p90": at(0.9),
                "p99": at(0.99),
                "max": found[-1] / 1e6,
                "wrong": wrong,
                "received": sum(map(len, arrived)),
                "seen": len(found),
                "cpu": time.process_time(),
            }
        )
    )


main(json.loads(sys.argv[1]))
