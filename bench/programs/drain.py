"""Follows one output as fast as it comes, and then tells how fast that was and whether every byte came exactly once.

Run it as `python -I drain.py '{"port", "path", "form", "capacity", "post"?}'`. With `post` (path and body) it
requests the execution itself and follows it at once; `{id}` in `path` is its id. Without, it prints `ready` when its
answer has begun. What arrives goes into memory that is there already, and is taken apart when all is over: the time
is that of the connection and not of this program.
"""

import bisect
import hashlib
import json
import mmap
import re
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson

_STEP = 1 << 20
_OUTPUT = b"event: st2.execution.output__create\n"
_DATA = re.compile(rb'"data":"((?:[^"\\]|\\.)*)"')
_CHECKED = 100


def post(port: int, path: str, body: dict[str, Any]) -> str:
    """Requests an execution; gives its id."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        sock.sendall(head.encode() + content)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(65536)
        head_part, _, rest = answer.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head_part)
        while found and len(rest) < int(found[1]):
            rest += sock.recv(65536)
        return str(json.loads(rest)["id"])


def receive(sock: socket.socket, buffer: mmap.mmap) -> tuple[int, list[int], list[int]]:
    """Fills the buffer until the connection is closed: how far, and after each read how far and when (ns)."""
    view = memoryview(buffer)
    at = 0
    ends: list[int] = []
    times: list[int] = []
    now = time.monotonic_ns
    while True:
        if at == len(buffer):
            raise SystemExit(f"more than {at} bytes came")
        count = sock.recv_into(view[at : at + _STEP])
        if not count:
            return at, ends, times
        at += count
        ends.append(at)
        times.append(now())


def chunks(data: memoryview, at: int) -> Iterator[tuple[int, int]]:
    """Where the content of each chunk of a chunked body starts and ends. SystemExit when the body is cut off."""
    while True:
        line = bytes(data[at : at + 20]).partition(b"\r\n")[0]
        if not line:
            raise SystemExit("the answer is cut off")
        size = int(line, 16)
        start = at + len(line) + 2
        if size == 0:
            return
        yield start, start + size
        at = start + size + 2


def whole_events(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts of a body, joined and cut anew so that each holds whole events only."""
    rest = b""
    for part in parts:
        events, found, rest = (rest + part).rpartition(b"\n\n")
        yield events + found


def payload(parts: Iterator[bytes], form: str) -> Iterator[bytes]:
    """What the action printed, out of the parts of an answer's body."""
    if form == "raw":
        yield from parts
        return
    for some in whole_events(parts):
        events = [event for event in some.split(b"\n\n") if _OUTPUT in event]
        if form == "sse":
            for event in events:
                yield orjson.loads(event.partition(b"data: ")[2])["data"].encode()
            continue
        # StackStorm's events are millions: all are found by their form, some are parsed as well.
        for event in events[::_CHECKED]:
            orjson.loads(event.partition(b"data: ")[2])
        for text in _DATA.findall(b"\n\n".join(events)):
            yield text.replace(b"\\n", b"\n")


def measure(buffer: mmap.mmap, end: int, ends: list[int], times: list[int], form: str) -> dict[str, Any]:
    """What the answer held and how long it took from its first output to its last."""
    data = memoryview(buffer)[:end]
    head = buffer.find(b"\r\n\r\n") + 4
    if not bytes(data[:12]) == b"HTTP/1.1 200":
        raise SystemExit(f"the server refused: {bytes(data[:300])!r}")
    spans = list(chunks(data, head))
    if form == "raw":
        first, last = spans[0][1], spans[-1][1]
    else:
        first = buffer.find(_OUTPUT)
        last = buffer.find(b"\n\n", buffer.rfind(_OUTPUT, 0, end))
    digest = hashlib.sha256()
    size = pieces = 0
    for piece in payload((bytes(data[start:stop]) for start, stop in spans), form):
        digest.update(piece)
        size += len(piece)
        pieces += 1
    took = times[bisect.bisect_left(ends, last)] - times[bisect.bisect_left(ends, first)]
    return {"seconds": took / 1e9, "bytes": size, "sha256": digest.hexdigest(), "pieces": pieces, "received": end}


def main(spec: dict[str, Any]) -> None:
    """Requests, follows, and tells."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    buffer = mmap.mmap(-1, spec["capacity"], flags=flags)
    path = spec["path"]
    sock = socket.create_connection(("127.0.0.1", spec["port"]))
    if "post" in spec:
        path = path.replace("{id}", post(spec["port"], *spec["post"]))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{spec['port']}\r\nConnection: close\r\n\r\n".encode())
    if "post" not in spec:
        sock.recv(1, socket.MSG_PEEK)
        print("ready", flush=True)
    end, ends, times = receive(sock, buffer)
    cpu = time.process_time()
    print(json.dumps({**measure(buffer, end, ends, times, spec["form"]), "cpu": cpu}))


main(json.loads(sys.argv[1]))
