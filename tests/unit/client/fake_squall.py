"""A server of plain sockets that speaks just enough of the API, and makes faults on order.

Positions are `f-<n>`: n records are behind it. It repeats nothing: what it sends after a position begins there.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

TIME = "2026-01-02T03:04:05.000000Z"
ID = "65a0c0ffee00000000000001"
QUESTION = {
    "route": "ops",
    "ttl": 30,
    "users": ["ada"],
    "roles": ["admin"],
    "schema": {
        "type": "object",
        "required": ["count"],
        "properties": {
            "proceed": {"type": "boolean", "description": "Shall it go on?", "required": True},
            "password": {"type": "string", "secret": True},
            "count": {"type": "integer"},
            "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
        },
    },
}


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Peer:
    """One accepted connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def read_request(self) -> Request | None:
        first = self._file.readline().decode().split()
        if len(first) != 3:
            return None
        headers = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        raw = self._file.read(int(headers.get("content-length", 0)))
        parts = urlsplit(first[1])
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return Request(first[0], unquote(parts.path), query, headers, json.loads(raw) if raw else None)

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def answer(self, status: int, document: Any, headers: str = "") -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send(f"HTTP/1.1 {status} Some Words\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def begin_stream(self) -> None:
        self.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )

    def chunk(self, data: bytes) -> None:
        if data:
            self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """The next close drops the connection as a killed machine would."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._file.close()
        self._sock.close()


class Server:
    """Accepts connections and gives each request to `respond(request, peer)`; a false answer ends the connection."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads: list[threading.Thread] = []
        self._peers: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)

    def respond(self, request: Request, peer: Peer) -> bool:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._accepting.join()
        self._listener.close()
        for sock in self._peers:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(sock)
        try:
            while (request := peer.read_request()) is not None:
                self.requests.append(request)
                if not self.respond(request, peer):
                    return
        except OSError:
            pass
        finally:
            peer.close()


class ScriptedServer(Server):
    """Answers the nth request with the nth function; the last one answers all that follow."""

    def __init__(self, *script: Callable[[Request, Peer], bool]) -> None:
        super().__init__()
        self._script = script

    def respond(self, request: Request, peer: Peer) -> bool:
        step = min(len(self.requests), len(self._script)) - 1
        return self._script[step](request, peer)


def sse(number: int, stream: str, data: bytes) -> bytes:
    """The event of record `number` (from 1)."""
    told = {
        "execution_id": ID,
        "action_ref": "core.local",
        "runner_ref": "local-shell-cmd",
        "timestamp": TIME,
        "output_type": stream,
        "data_b64": base64.b64encode(data).decode(),
        "id": f"f-{number}",
    }
    return f"id: f-{number}\nevent: st2.execution.output__create\ndata: {json.dumps(told)}\n\n".encode()


EOF = b"event: EOF\ndata: ''\n\n"


class FakeSquall(Server):
    """One action, one execution with the given records.

    `cuts` says, for each output stream in turn, after how many bytes it is cut off; streams after that are whole.
    With `held` the execution runs until it is canceled or `released` is set. `piece` is the size of the HTTP chunks.
    """

    def __init__(
        self,
        records: list[tuple[str, bytes]],
        *,
        cuts: Iterator[int] | None = None,
        status: str = "succeeded",
        error: str | None = None,
        held: bool = False,
        piece: int = 1 << 20,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.records = records
        self.cuts = cuts or iter(())
        self.status = status
        self.error = error
        self.piece = piece
        self.released = threading.Event()
        self.streaming = threading.Event()
        self.canceled = threading.Event()
        if not held:
            self.released.set()
        self.parameters: dict[str, Any] = {
            "cmd": {"type": "string", "required": True},
            "timeout": {"type": "integer", "default": 60},
            "env": {"type": "object"},
        }

    def stop(self) -> None:
        self.released.set()
        super().stop()

    def document(self) -> dict[str, Any]:
        ended = self.released.is_set()
        result = {"error": self.error} if self.error else {"stdout": "hi", "succeeded": True}
        return {
            "id": ID,
            "action": {"ref": "core.local"},
            "status": self.status if ended else "running",
            "start_timestamp": TIME,
            "elapsed_seconds": 2.5 if ended else None,
            "context": {"user": "ada"},
            "parameters": {},
            "result": result if ended else None,
        }

    def respond(self, request: Request, peer: Peer) -> bool:
        path = request.path.removeprefix("/v1").rstrip("/")
        match request.method, path.split("/")[1:]:
            case "GET", ["executions", ("last" | "65a0c0ffee00000000000001"), "output"]:
                return self._output(request, peer)
            case "GET", ["executions", ("last" | "65a0c0ffee00000000000001")]:
                peer.answer(200, self.document())
            case "DELETE", ["executions", _]:
                self.status = "canceled"
                self.canceled.set()
                self.released.set()
                peer.answer(200, {**self.document(), "status": "canceling"})
            case "PUT", ["executions", _]:
                peer.answer(200, {**self.document(), "status": request.body["status"]})
            case "GET", ["inquiries"]:
                peer.answer(200, [{**QUESTION, "id": ID}])
            case "GET", ["inquiries", _]:
                peer.answer(200, {**QUESTION, "id": ID})
            case "PUT", ["inquiries", _]:
                peer.answer(200, {"id": ID, "response": request.body["response"]})
            case "POST", ["executions"] | ["executions", _, "re_run"]:
                peer.answer(201, {**self.document(), "status": "requested"})
            case "GET", ["executions"]:
                peer.answer(200, [self.document()], "X-Total-Count: 1\r\n")
            case "GET", ["actions", "core.local"]:
                peer.answer(
                    200, {"ref": "core.local", "runner_type": "local-shell-cmd", "enabled": True, "description": "Run."}
                )
            case "GET", ["actions"]:
                peer.answer(200, [{"ref": "core.local", "description": "Run."}], "X-Total-Count: 1\r\n")
            case "GET", ["runnertypes"]:
                runner = {"name": "local-shell-cmd", "description": "A shell.", "runner_parameters": self.parameters}
                peer.answer(200, [runner], "X-Total-Count: 1\r\n")
            case _:
                peer.answer(404, {"faultstring": f"nothing at {path}"})
        return True

    def _output(self, request: Request, peer: Peer) -> bool:
        after = request.headers.get("last-event-id") or request.query.get("after") or "f-0"
        kind = request.query.get("type", "all")
        sent = int(after.removeprefix("f-"))
        body = b":\n\n" + b"".join(
            sse(number, stream, data)
            for number, (stream, data) in enumerate(self.records, 1)
            if number > sent and kind in ("all", stream)
        )
        cut = next(self.cuts, None)
        peer.begin_stream()
        if cut is not None:
            for at in range(0, min(cut, len(body)), self.piece):
                peer.chunk(body[at : min(at + self.piece, cut)])
            if cut % 2:
                peer.reset()
            return False
        for at in range(0, len(body), self.piece):
            peer.chunk(body[at : at + self.piece])
        self.streaming.set()
        if request.query.get("follow") != "false":
            self.released.wait(30)
        if self.released.is_set():
            peer.chunk(EOF)
        peer.end_stream()
        return True
