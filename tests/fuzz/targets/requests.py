"""Requests of clients: their head on the wire, and what the handlers read from paths, queries, headers and bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from starlette.types import Message, Receive, Scope, Send
from tests.fuzz.contract import Run, Target
from uvicorn.server import ServerState

from squall.api.connection.admission import Connections
from squall.api.connection.bounded import BoundedProtocol
from squall.api.connection.limits import Limits, client_of, counted_as, networks
from squall.api.execution.filters import execution_filter
from squall.api.http.bodies import encoding_for
from squall.api.http.hosts import check_browser, is_loopback, netloc
from squall.api.http.pages import attributes, page
from squall.api.http.routes import AREAS, Router
from squall.api.http.wire import Answer, Query, Request
from squall.api.output.ranges import span_of
from squall.api.output.selection import selection_filter, streams_of
from squall.api.table import TABLE
from squall.core.access.access import Identity
from squall.core.errors import InvalidError, SquallError
from squall.core.names import is_pack_name
from squall.core.output import places
from squall.core.schema.literals import LiteralError, check_nesting
from squall.core.timespan import moment
from squall.core.timestamp import from_iso
from squall.core.units import parse_size

ADMIN = Identity(user="it", admin=True)
HEADERS = (
    b"accept-encoding",
    b"authorization",
    b"content-length",
    b"host",
    b"if-match",
    b"last-event-id",
    b"origin",
    b"range",
)


def queries(_folder: Path) -> Run:
    readers: list[Callable[[Query], object]] = [
        lambda query: execution_filter(query, ADMIN),
        lambda query: page(query, 50),
        lambda query: attributes(query, frozenset({"id", "result"})),
        selection_filter,
        lambda query: streams_of(query.text("type")),
        lambda query: moment(query.text("since") or "", "since", 10**15),
        lambda query: query.every("event"),
    ]

    def run(data: bytes) -> None:
        query = Query(data)
        for reader in readers:
            with suppress(SquallError):
                reader(query)

    return run


def positions(_folder: Path) -> Run:
    readers: list[Callable[[str, str], object]] = [
        places.parse_place, places.parse_output, places.parse_lines, places.parse_tail, places.parse_feed,
        places.parse_page, from_iso, lambda text, name: moment(text, name, 10**15),
    ]  # fmt: skip

    def run(data: bytes) -> None:
        text = data.decode("latin-1")
        for reader in readers:
            with suppress(SquallError):
                reader(text, "after")
        with suppress(ValueError):
            parse_size(text)
        is_pack_name(text)

    return run


def headers(_folder: Path) -> Run:
    trusted = networks("10.0.0.0/8")

    def run(data: bytes) -> None:
        text = data.decode("latin-1")
        span_of(text, 1000)
        is_loopback(text), netloc(text), counted_as(text), client_of("127.0.0.1", text.split("\n"), trusted)
        for name in HEADERS:
            scope = {"query_string": b"", "headers": [(b"host", b"localhost"), (name, data)]}
            request = Request(scope, _nothing, {}, 1 << 20)
            encoding_for(request)
            with suppress(SquallError):
                check_browser(request)

    return run


async def _nothing() -> Message:
    raise AssertionError("nothing is received")


def paths(_folder: Path) -> Run:
    router = Router(TABLE)

    def run(data: bytes) -> None:
        path = data.decode("utf-8", "replace")
        for area in AREAS:
            router.match(area, path, "GET")
            router.methods(area, path)

    return run


def bodies(_folder: Path) -> Run:
    def run(data: bytes) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": data, "more_body": False}

        request = Request({"query_string": b"", "headers": []}, receive, {}, 1 << 20)
        work = request.document()
        try:
            work.send(None)
        except StopIteration as end:
            with suppress(LiteralError):
                check_nesting(end.value)

    return run


OURS, THEIRS = ("10.1.2.4", 5), ("10.1.2.3", 4)
CLIENT = SimpleNamespace(
    fileno=lambda: 9,
    getsockname=lambda: OURS,
    getpeername=lambda: THEIRS,
    setsockopt=lambda level, name, value: None,
)


class Wire(asyncio.Transport):
    """The connection of a client that reads everything."""

    max_size = 0

    def __init__(self) -> None:
        super().__init__({"peername": THEIRS, "sockname": OURS, "socket": CLIENT})
        self.sent = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def write_eof(self) -> None:
        """The client sees the end of the answers."""

    def pause_reading(self) -> None:
        """Nothing waits."""

    resume_reading = pause_reading


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body."""
    with suppress(SquallError):
        document = await Request(scope, receive, {}, 1 << 20).body()
        await Answer({"bytes": len(document)}).send(send, b"1")


def connections(_folder: Path) -> Run:
    config = uvicorn.Config(echo, lifespan="off", log_config=None, access_log=False)
    config.load()

    async def work(data: bytes) -> None:
        wire, loop = Wire(), asyncio.get_running_loop()
        protocol = BoundedProtocol(
            Connections(Limits(headers=20)), False, config=config, server_state=ServerState(), app_state={}, _loop=loop
        )
        protocol.connection_made(wire)
        size = 64 << 10
        for at in range(0, len(data), size):
            protocol.data_received(data[at : at + size])
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        await asyncio.sleep(0)
        assert not wire.sent or wire.sent.startswith(b"HTTP/1.1 ")

    def run(data: bytes) -> None:
        asyncio.run(work(data))

    return run


HTTP = (
    b"GET / HTTP/1.1\r\n",
    b"POST /x HTTP/1.1\r\n",
    b"\r\n\r\n",
    b"Content-Length: ",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: a\r\n",
)
TARGETS = (
    Target(
        "queries", queries, words=(b"filter=", b"limit=", b"timestamp=", b"&", b"=", b"%", b"..", b"status:", b"since=")
    ),
    Target("positions", positions, words=(b"f-", b"~", b"line-", b";", b"@f-", b"2026-01-01T00:00:00", b"ms")),
    Target("headers", headers, words=(b"bytes=", b"gzip", b";q=", b"localhost", b"http://", b"::1", b"[", b"]")),
    Target("paths", paths, words=(b"/executions", b"/output", b"/packs", b"/keys", b"/", b"..")),
    Target("bodies", bodies, (InvalidError,), words=(b"{", b"[", b"null", b"1e999", b"\\ud800")),
    Target("connections", connections, largest=128 << 10, words=HTTP),
)
