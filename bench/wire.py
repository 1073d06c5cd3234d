"""A client that costs next to nothing: HTTP/1.1 with keep-alive on raw sockets, for answers that say their length."""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from typing import Any

from bench.context import BrokenError

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def message(port: int, method: str, path: str, body: object = None) -> bytes:
    """A request's bytes."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(content)}\r\n"
    if body is not None:
        head += "Content-Type: application/json\r\n"
    return head.encode() + b"\r\n" + content


def split(received: bytes) -> tuple[int, bytes, bytes] | None:
    """Status, head and body of an answer, or None as long as it is not all there."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    length = _LENGTH.search(head)
    if length is None:
        raise BrokenError(f"an answer without a length: {head[:200]!r}")
    if len(body) < int(length[1]):
        return None
    return int(head.split(b" ", 2)[1]), head, body


class Connection:
    """One connection; requests go one after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer. Raises `BrokenError` when the connection ends."""
        self._socket.sendall(message(self._port, method, path, body))
        received = b""
        while (answer := split(received)) is None:
            data = self._socket.recv(1 << 18)
            if not data:
                raise BrokenError(f"{method} {path}: the server closed the connection")
            received += data
        return answer

    def post(self, path: str, body: object, wanted: int = 201) -> dict[str, Any]:
        """The JSON object that a POST gives. Raises `BrokenError` for any other status than `wanted`."""
        status, _, content = self.request("POST", path, body)
        if status != wanted:
            raise BrokenError(f"POST {path} gave {status}: {content[:500]!r}")
        found: dict[str, Any] = json.loads(content)
        return found

    def close(self) -> None:
        """Ends it."""
        self._socket.close()


def post_many(port: int, path: str, body: object, count: int, connections: int, wanted: int = 201) -> float:
    """Posts the same `count` times over so many connections at once; seconds until the last answer.

    Raises `BrokenError` for an answer with another status than `wanted`.
    """
    request = message(port, "POST", path, body)
    selector = selectors.DefaultSelector()
    received: dict[socket.socket, bytes] = {}
    for _ in range(min(connections, count)):
        sock = socket.create_connection(("127.0.0.1", port), 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        received[sock] = b""
    began = time.monotonic()
    for sock in received:
        sock.sendall(request)
    sent, open_ones = len(received), len(received)
    while open_ones:
        for key, _ in selector.select(60):
            sock = key.fileobj  # type: ignore[assignment]
            data = sock.recv(1 << 18)
            received[sock] += data
            answer = split(received[sock]) if data else (0, b"", b"")
            if answer is None:
                continue
            if answer[0] != wanted:
                raise BrokenError(f"POST {path} gave {answer[0]}: {answer[2][:500]!r}")
            received[sock] = b""
            if sent < count:
                sent += 1
                sock.sendall(request)
            else:
                open_ones -= 1
                selector.unregister(sock)
                sock.close()
    return time.monotonic() - began
