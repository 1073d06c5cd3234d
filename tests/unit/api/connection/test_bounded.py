"""Real connections to a real server whose limits are small."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from squall.api.connection import pacing
from squall.api.connection.admission import Connections
from squall.api.connection.limits import Limits, networks
from squall.api.connection.server import HttpServer, listen
from squall.api.http.wire import Answer, Request
from squall.core.errors import SquallError
from squall.testing.waiting import PATIENCE, eventually

pytestmark = pytest.mark.anyio

SMALL = Limits(line_bytes=1000, header_bytes=4000, headers=20, head_seconds=600, body_seconds=600, idle_seconds=600)
LONG = 700.0
"""Seconds after which each limit of `SMALL` is over."""
GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class Pages:
    """An application: `/wait` answers when `go` is set, `/echo` with its body, `/large` with 4 MiB, `/page` with
    256 KiB, `/client` with the client's address, any other path at once."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.faults: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(scope["path"])
        value: Any = scope["path"]
        if value == "/wait":
            await self.go.wait()
        elif value == "/echo":
            try:
                value = (await Request(scope, receive, {}, 1 << 20).body()).decode()
            except SquallError as error:
                self.faults.append(str(error))
                value = str(error)
        elif value == "/large":
            value = "x" * (4 << 20)
        elif value == "/page":
            value = "x" * (256 << 10)
        elif value == "/client":
            value = scope["client"][0]
        await Answer(value).send(send, b"1")


class Live(Pages):
    """A running server with its pages; `dial` connects to it. Its times pass only if a test says so: a busy machine
    would let them pass anywhere. The server looks at them once a second."""

    port = 0

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.now = 1000.0
        self.connections = Connections(limits, lambda: self.now)
        self.clients: list[Client] = []

    async def dial(self) -> Client:
        """A new connection, which is closed at the end."""
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]

    async def catch_up(self) -> None:
        """Waits until the server has read all that clients have sent so far: a later connection has its answer."""
        last = await self.dial()
        last.send(GET % b"x")
        assert (await last.answer())[0] == 200

    async def until_closed(self) -> None:
        """Lets time pass until the server has closed all connections."""

        def is_empty() -> bool:
            self.now += LONG
            return not len(self.connections)

        await eventually(is_empty, "all connections are closed")


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            return int(head.split()[1]), await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def refused(self, status: int) -> None:
        """Sees to it that the next answer has this status and is the last one."""
        assert (await self.answer())[0] == status
        assert await self.rest() == b""


@asynccontextmanager
async def live(limits: Limits = SMALL) -> AsyncIterator[Live]:
    pages = Live(limits)
    server = HttpServer(pages, listen("127.0.0.1", 0), pages.connections, guarded=False, grace=1)
    pages.port = server.port
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await server.started()
        try:
            yield pages
        finally:
            pages.go.set()
            for client in pages.clients:
                client.writer.transport.abort()
            server.stop()
            # The group would cancel the server after a failure. What it left open would fail a later test.
            await running


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 21 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 5000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 1_000_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"x" * 1_000_000, 431),
        (b"GET /" + b"a" * 1001 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * 1_000_000, 414),
        (b"\r\n" * 500_000, 431),
        (CHUNKED + b"1;" + b"a" * 1_000_000, 400),
        (CHUNKED + b"1\r\na\r\n0\r\n" + b"a: b\r\n" * 100_000, 400),
        (CHUNKED + b"zz\r\n", 400),
        (CHUNKED + b"F" * 17 + b"\r\n", 400),
        (CHUNKED + b"0" * 1_000_000, 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT host:1 HTTP/1.1\r\n\r\n", 400),
    ],
)
async def test_a_request_that_breaks_a_limit_or_the_framing_is_refused_and_closed(request_: bytes, status: int) -> None:
    async with live() as server:
        client = await server.dial()
        client.send(request_)
        got, body = await client.answer()
        assert (got, b"faultstring" in body) == (status, True)
        assert await client.rest() == b""
        client.writer.transport.abort()
        await eventually(lambda: len(server.connections) == 0, "all connections are closed")


async def test_a_refusal_comes_behind_the_answers_before_it() -> None:
    async with live() as server:
        client = await server.dial()
        client.send(GET % b"wait" + GET % b"second" + b"nonsense\r\n\r\n" + GET % b"never")
        await eventually(lambda: server.begun == ["/wait"], "the requests have begun")
        server.go.set()
        assert [await client.answer() for _ in range(2)] == [(200, b'"/wait"'), (200, b'"/second"')]
        await client.refused(400)
        assert server.begun == ["/wait", "/second"]


async def test_pipelined_requests_are_answered_one_after_the_other_and_the_rest_is_not_read() -> None:
    async with live() as server:
        client = await server.dial()
        count = 100_000
        client.send(GET % b"wait" + GET % b"x" * count)
        await eventually(lambda: server.begun == ["/wait"], "the requests have begun")
        protocol: Any = next(iter(server.connections._open))
        await eventually(lambda: protocol.flow.read_paused, "reading pauses")
        assert len(protocol._held) <= 80 << 10
        assert not protocol.pipeline
        assert len(server.begun) == 1
        server.go.set()
        assert await client.answer() == (200, b'"/wait"')
        for _ in range(1000):
            assert await client.answer() == (200, b'"/x"')
        client.writer.transport.abort()


async def test_a_client_that_reads_no_answers_causes_no_further_ones() -> None:
    async with live() as server:
        client = await server.dial()
        client.send(GET % b"large" * 500)
        await eventually(lambda: server.begun == ["/large"], "the first request has begun")
        other = await server.dial()
        for _ in range(10):
            other.send(GET % b"x")
            assert (await other.answer())[0] == 200
        assert server.begun.count("/large") == 1
        assert (await client.answer())[0] == 200
        # The buffers of the system may hold a whole answer, so a third request may have begun, too.
        await eventually(lambda: server.begun.count("/large") >= 2, "the next request has begun")


async def test_the_system_takes_few_answers_for_a_client_that_pipelines_and_reads_nothing() -> None:
    async with live() as server:
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
            silent.connect(("127.0.0.1", server.port))
            silent.sendall(GET % b"page" * 500)
            await eventually(lambda: server.begun, "the first request has begun")
            protocol: Any = next(iter(server.connections._open))
            await eventually(lambda: protocol.flow.write_paused, "the connection takes no more")
            other = await server.dial()
            for _ in range(10):
                other.send(GET % b"x")
                assert (await other.answer())[0] == 200
            assert server.begun.count("/page") <= 3


async def test_clients_that_pipeline_have_one_request_answered_in_a_few_turns_of_the_loop() -> None:
    async with live() as server:
        clients = [await server.dial() for _ in range(64)]
        for client in clients:
            client.send(GET % b"wait" + GET % b"x" * 50)
        await eventually(lambda: len(server.begun) == 64, "the requests have begun")
        server.go.set()
        begun = []
        while len(server.begun) < 64 * 51:
            begun.append(len(server.begun))
            await asyncio.sleep(0)
        assert max(after - before for before, after in pairwise(begun)) <= pacing._AT_ONCE


async def test_a_body_and_the_next_request_may_come_in_any_pieces() -> None:
    text = b"POST /echo HTTP/1.1\r\nContent-Length: 6\r\n\r\n\r\n\r\nab" + GET % b"b" + CHUNKED
    text += b"4\r\n\r\n\r\n\r\n1\r\nc\r\n0\r\nX-Trailer: 1\r\n\r\n" + GET % b"d"
    expected = [(200, rb'"\r\n\r\nab"'), (200, b'"/b"'), (200, rb'"\r\n\r\nc"'), (200, b'"/d"')]
    async with live() as server:
        for size in (1, 2, 3, 7, 20, 50, 1000):
            client = await server.dial()
            for at in range(0, len(text), size):
                client.send(text[at : at + size])
                await client.writer.drain()
                await asyncio.sleep(0)
            assert [await client.answer() for _ in range(4)] == expected
            client.writer.close()


async def test_headers_that_are_never_complete_get_408() -> None:
    async with live() as server:
        clients = [await server.dial() for _ in range(4)]
        for client, beginning in zip(clients, (b"", b"G", b"GET / HTTP/1.1\r\nHost: loc", b"\r\n"), strict=True):
            client.send(beginning)
        await server.catch_up()
        server.now += LONG
        for client in clients:
            await client.refused(408)
        await server.until_closed()


async def test_a_body_that_stops_gets_408_and_is_not_taken_for_a_shorter_one() -> None:
    async with live() as server:
        client = await server.dial()
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345")
        await eventually(lambda: server.begun == ["/echo"], "the request has begun")
        server.now += LONG
        await client.refused(408)
        fault = "The request ended before its body was complete."
        await eventually(lambda: server.faults == [fault], "the body is refused")


async def test_an_idle_connection_is_closed_without_a_word_and_one_that_is_answered_is_not() -> None:
    async with live() as server:
        waiting, idle = await server.dial(), await server.dial()
        waiting.send(GET % b"wait")
        idle.send(GET % b"x")
        assert (await idle.answer())[0] == 200
        await eventually(lambda: "/wait" in server.begun, "the request has begun")
        server.now += LONG
        assert await idle.rest() == b""
        half = await server.dial()
        await server.catch_up()
        server.now += LONG
        await half.refused(408)
        server.go.set()
        assert await waiting.answer() == (200, b'"/wait"')


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async with live() as server:
        client = await server.dial()
        client.send(GET % b"large")
        await eventually(lambda: server.begun == ["/large"], "the requests have begun")
        await server.until_closed()


async def test_half_open_connections_make_room_and_keep_nobody_out() -> None:
    async with live(SMALL._replace(connections=32)) as server:
        half = [await server.dial() for _ in range(32)]
        for each in half:
            each.send(b"GET / HTTP/1.1\r\n")
        for _ in range(50):
            client = await server.dial()
            client.send(GET % b"x")
            assert (await client.answer())[0] == 200
        assert await half[0].rest() == b""
        assert len(server.connections) <= 32


async def test_connections_that_are_all_answered_stay_and_a_further_one_gets_503() -> None:
    async with live(SMALL._replace(connections=4)) as server:
        clients = [await server.dial() for _ in range(4)]
        for client in clients:
            client.send(GET % b"wait")
        await eventually(lambda: len(server.begun) == 4, "the requests have begun")
        late = await server.dial()
        late.send(GET % b"x")
        head = await late.rest()
        assert (head.startswith(b"HTTP/1.1 503 "), b"retry-after: 5\r\n" in head) == (True, True)
        server.go.set()
        assert [await client.answer() for client in clients] == [(200, b'"/wait"')] * 4
        for client in clients:
            client.writer.close()
        late = await server.dial()
        late.send(GET % b"x")
        assert (await late.answer())[0] == 200


async def test_a_high_descriptor_counts_as_one_connection_too_many() -> None:
    async with live(SMALL._replace(last_descriptor=0)) as server:
        client = await server.dial()
        client.send(GET % b"x")
        await client.refused(503)


async def test_a_refused_body_is_read_so_that_the_client_sees_the_answer() -> None:
    async with live() as server:
        client = await server.dial()
        client.send(b"POST /echo HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000 + GET % b"next")
        status, body = await client.answer()
        assert (status, b"larger than" in body) == (200, True)
        assert await client.answer() == (200, b'"/next"')


async def test_the_address_behind_a_trusted_proxy_is_the_clients() -> None:
    async with live(SMALL._replace(trusted=networks("10.0.0.7"))) as server:
        client = await server.dial()
        for forwarded, expected in (
            (b"203.0.113.9", b'"203.0.113.9"'),
            (b"6.6.6.6, 203.0.113.9", b'"203.0.113.9"'),
            (b"6.6.6.6, 203.0.113.9, 10.0.0.7", b'"203.0.113.9"'),
            (b"nonsense", b'"127.0.0.1"'),
        ):
            client.send(b"GET /client HTTP/1.1\r\nX-Forwarded-For: " + forwarded + b"\r\n\r\n")
            assert await client.answer() == (200, expected)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n",
        b"GET /x HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2dc6c0\r\n",
        b"GET /x HTTP/1.0\r\nContent-Length: 3000000\r\n\r\n",
    ],
)
async def test_a_last_request_is_read_to_its_end_behind_an_early_answer(head: bytes) -> None:
    async with live() as server:
        client = await server.dial()
        client.send(head + b"x" * 1_000_000)
        assert await client.answer() == (200, b'"/x"')
        client.send(b"x" * 2_000_000 + (b"\r\n0\r\n\r\n" if b"chunked" in head else b""))
        async with asyncio.timeout(PATIENCE):
            assert await client.reader.read() == b""
            await client.writer.drain()


async def test_a_last_request_that_never_ends_behind_its_answer_is_given_up() -> None:
    async with live() as server:
        client = await server.dial()
        client.send(b"GET /x HTTP/1.1\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 1000)
        assert await client.answer() == (200, b'"/x"')
        await server.until_closed()
