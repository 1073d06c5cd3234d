"""Follows one output as fast as it comes, and then tells how fast that was and whether every byte came exactly once.

Run it as `python -I drain.py CAPACITY`; each line on its input is one task, `{"port", "path", "form", "post"?}`, and
gets one line of JSON. With `post` (path and body) it requests the execution itself and follows it at once; `{id}` in
`path` is its id. Without, it prints `ready` when its answer has begun. What arrives goes into memory that is there
already, and is taken apart when all is over: the time is that of the connection and not of this program.
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
_DATA = re.compile(rb'"data":"([^"]*)"')


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


def payload(parts: Iterator[bytes], form: str) -> Iterator[tuple[bytes, int]]:
    """What the action printed, out of the parts of an answer's body, and in how many events it came."""
    if form == "raw":
        yield from ((part, 1) for part in parts)
        return
    for some in whole_events(parts):
        if form == "sse":
            for event in some.split(b"\n\n"):
                if _OUTPUT in event:
                    yield orjson.loads(event.partition(b"data: ")[2])["data"].encode(), 1
        elif count := some.count(_OUTPUT):
            # StackStorm's events are millions: all are found by their form, the first of each part is parsed as well.
            orjson.loads(some[some.index(b"data: ", some.index(_OUTPUT)) :].partition(b"\n")[0][6:])
            texts = _DATA.findall(some)
            if len(texts) != count:
                raise SystemExit(f"{count} events hold {len(texts)} lines")
            yield b"".join(texts).replace(b"\\n", b"\n"), count


def measure(buffer: mmap.mmap, end: int, ends: list[int], times: list[int], form: str) -> dict[str, Any]:
    """What the answer held and how long it took from its first output to its last."""
    data = memoryview(buffer)[:end]
    head = buffer.find(b"\r\n\r\n") + 4
    if bytes(data[:12]) != b"HTTP/1.1 200":
        raise SystemExit(f"the server refused: {bytes(data[:300])!r}")
    spans = list(chunks(data, head))
    if form == "raw":
        first, last = spans[0][1], spans[-1][1]
    else:
        first = buffer.find(_OUTPUT)
        last = buffer.find(b"\n\n", buffer.rfind(_OUTPUT, 0, end))
    digest = hashlib.sha256()
    size = pieces = 0
    for text, count in payload((bytes(data[start:stop]) for start, stop in spans), form):
        digest.update(text)
        size += len(text)
        pieces += count
    took = times[bisect.bisect_left(ends, last)] - times[bisect.bisect_left(ends, first)]
    return {"seconds": took / 1e9, "bytes": size, "sha256": digest.hexdigest(), "pieces": pieces, "received": end}


def follow(buffer: mmap.mmap, spec: dict[str, Any]) -> dict[str, Any]:
    """Requests, follows, and gives what was found."""
    path = spec["path"]
    sock = socket.create_connection(("127.0.0.1", spec["port"]))
    if "post" in spec:
        path = path.replace("{id}", post(spec["port"], *spec["post"]))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{spec['port']}\r\nConnection: close\r\n\r\n".encode())
    if "post" not in spec:
        sock.recv(1, socket.MSG_PEEK)
        print("ready", flush=True)
    end, ends, times = receive(sock, buffer)
    sock.close()
    return measure(buffer, end, ends, times, spec["form"])


def main(capacity: int) -> None:
    """One task after the other, until its input ends."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    buffer = mmap.mmap(-1, capacity, flags=flags)
    for line in sys.stdin:
        print(json.dumps(follow(buffer, json.loads(line))), flush=True)


main(int(sys.argv[1]))
