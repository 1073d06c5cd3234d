"""HTTP and server-sent events as the tests see them: sockets and `http.client`, nothing of Squall's own."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

PATIENCE = 60.0
"""Seconds after which a read that brings nothing fails a test."""
LIFETIME = 90.0
"""Seconds after which a stream that is still read fails a test: heartbeats alone would keep it alive."""


class Reply(NamedTuple):
    """One whole answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.raw)

    @property
    def fault(self) -> str:
        """The text of an error."""
        assert self.json.keys() - {"conflict-id"} == {"faultstring"}, self.raw
        return str(self.json["faultstring"])


def call(
    url: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    raw: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request on a connection of its own; `body` is sent as JSON, `raw` as it is."""
    given = {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
    data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
    connection = HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request(method, path, body=data, headers=given)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


class Event(NamedTuple):
    """One server-sent event; `id` is the last id the stream has given."""

    id: str
    name: str
    data: str

    @property
    def body(self) -> dict[str, Any]:
        """The data, decoded."""
        decoded: dict[str, Any] = json.loads(self.data)
        return decoded

    @property
    def raw(self) -> bytes:
        """The exact bytes that an output event of a stream with raw data tells: as text, if they are text."""
        body = self.body
        return base64.b64decode(body["data_b64"]) if "data_b64" in body else str(body["data"]).encode()


class EventParser:
    """The part of the EventSource standard that counts: an event exists once its blank line has come."""

    def __init__(self) -> None:
        self.last_id = ""
        self.comments = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete now."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        found = []
        for block in blocks:
            name, lines = "message", []
            for line in block.split(b"\n"):
                field, _, value = line.partition(b":")
                text = value.removeprefix(b" ").decode()
                if not field and line:
                    self.comments += 1
                elif field == b"id":
                    self.last_id = text
                elif field == b"event":
                    name = text
                elif field == b"data":
                    lines.append(text)
            if lines:
                found.append(Event(self.last_id, name, "\n".join(lines)))
        return found


class Stream:
    """An answer that is read while it comes. `received` counts the bytes of its body."""

    def __init__(
        self, url: str, path: str, headers: Mapping[str, str] | None = None, receive_buffer: int | None = None
    ) -> None:
        netloc = urlsplit(url).netloc
        self._connection = HTTPConnection(netloc, timeout=PATIENCE)
        if receive_buffer is not None:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(PATIENCE)
            host, _, port = netloc.partition(":")
            sock.connect((host, int(port)))
            self._connection.sock = sock
        try:
            self._connection.request("GET", path, headers=dict(headers or {}))
            self._response = self._connection.getresponse()
        except BaseException:
            self._connection.close()
            raise
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.getheaders()}
        self.parser = EventParser()
        self.received = 0
        self.deadline = time.monotonic() + LIFETIME

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up."""
        self._response.close()
        self._connection.close()

    def read(self, limit: int = 1 << 20) -> bytes:
        """What is there, at least one byte; b"" at the end."""
        if time.monotonic() > self.deadline:
            raise TimeoutError(f"the stream has not ended in {LIFETIME} seconds")
        data = self._response.read1(limit)
        self.received += len(data)
        return data

    def rest(self) -> bytes:
        """Everything up to the end."""
        parts = []
        while data := self.read():
            parts.append(data)
        return b"".join(parts)

    def until(self, wanted: bytes) -> bytes:
        """What comes up to and with `wanted`; a test fails when it never comes."""
        got = b""
        while wanted not in got:
            data = self.read()
            assert data, f"the stream ended before {wanted!r} came: {got[-500:]!r}"
            got += data
        return got

    def events(self) -> Iterator[Event]:
        """Every event up to the end."""
        while data := self.read():
            yield from self.parser.feed(data)
