"""Many followers of one thing: one reading and one pass for who keeps up; nothing lost or kept for the others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Message
from tests.unit.api.records import FIRST, output

from squall.api.http import wire
from squall.api.output import sending
from squall.api.output.sending import FanOut, Follower, Piece
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio

(END,) = output([(b"", 1)])
BEAT = b":\n\n"


class Book:
    """A `Source` whose positions are the numbers of pages printed; three of them are read at once, at most."""

    key = "book"
    heartbeat = BEAT

    def __init__(self) -> None:
        self.pages: list[bytes] = []
        self.closed = False
        self.readings = 0
        self.waiting: list[asyncio.Future[bool]] = []

    @property
    def text(self) -> bytes:
        """All that was printed."""
        return b"".join(self.pages)

    def print(self, page: bytes) -> None:
        """Adds a page, and wakes those who wait for it."""
        self.pages.append(page)
        self.wake()

    def close(self) -> None:
        """The last page has been printed."""
        self.closed = True
        self.wake()

    def wake(self, beat: bool = False) -> None:
        """Wakes those who wait."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(beat)

    def order(self, place: int) -> int:
        """Later pages have larger numbers."""
        return place

    async def pieces(self, after: int, *, wait: bool, until: int | None = None) -> AsyncGenerator[Piece | None, None]:
        """See `sending.Source`."""
        while after != until:
            upto = min(len(self.pages), after + 3, len(self.pages) if until is None else until)
            if upto > after:
                self.readings += 1
                await asyncio.sleep(0)
                data, after = b"".join(self.pages[after:upto]), upto
                last = self.closed and upto == len(self.pages)
                yield Piece(data, upto, {(FIRST, 1): data[-1:]}, END if last else None)
                if last:
                    return
            elif not wait or self.closed:
                return
            else:
                future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                self.waiting.append(future)
                if await future:
                    yield None


class Client:
    """A connection that takes what is written to it, until it is told to be full: then it holds what it is sent."""

    def __init__(self, fan_out: FanOut, book: Book, after: int = 0, *, chunked: bool = True) -> None:
        self.got = b""
        self.chunked = chunked
        self.chunks: list[bytes] = []
        self.refused = 0
        self.room = asyncio.Event()
        self.room.set()
        self.after = after
        direct = {"offer": self.offer, "chunked": chunked}
        self.follower = Follower({"extensions": {wire.DIRECT: direct}}, self.send, after)
        self.task = asyncio.get_running_loop().create_task(fan_out.follow(book, self.follower))

    def offer(self, chunk: bytes) -> bool:
        """The extension."""
        if not self.room.is_set():
            self.refused += 1
            return False
        if not self.chunked:
            self.chunks.append(chunk)
            self.got += chunk
            return True
        size, _, rest = chunk.partition(b"\r\n")
        assert len(rest) == int(size, 16) + 2
        assert rest.endswith(b"\r\n")
        self.chunks.append(chunk)
        self.got += rest[:-2]
        return True

    async def send(self, message: Message) -> None:
        """ASGI's way: waits for room."""
        await self.room.wait()
        self.got += message["body"]

    async def has(self, text: bytes) -> None:
        """Waits until it has got as much as `text`, which must be what it has got."""
        async with asyncio.timeout(PATIENCE):
            while len(self.got) < len(text):
                await asyncio.sleep(0)
        assert self.got == text

    async def rest(self) -> bytes:
        """All it has got at the end."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        assert self.follower.ended
        return self.got


@asynccontextmanager
async def gathered(fan_out: FanOut, book: Book, number: int) -> AsyncIterator[list[Client]]:
    """Clients that stand at the head; at the end the book is closed, and all of them have to have read it."""
    clients = [Client(fan_out, book) for _ in range(number)]
    for client in clients:
        await client.has(book.text)
    await standing(book)
    yield clients
    book.close()
    for client in clients:
        if not client.task.cancelled():
            assert await client.rest() == book.text
    assert not fan_out._heads


async def standing(book: Book) -> None:
    """Waits until somebody waits for the next page."""
    async with asyncio.timeout(PATIENCE):
        while not book.waiting:
            await asyncio.sleep(0)


async def test_who_keeps_up_is_given_each_piece_by_one_reading_and_one_encoding() -> None:
    book = Book()
    async with gathered(FanOut(), book, 100) as clients:
        for number in range(10):
            before = book.readings
            book.print(b"page %d\n" % number)
            for client in clients:
                await client.has(book.text)
            assert book.readings == before + 1
            assert len({id(client.chunks[-1]) for client in clients}) == 1


async def test_who_takes_no_chunks_is_written_the_body_itself_and_heartbeats() -> None:
    book, fan_out = Book(), FanOut()
    async with gathered(fan_out, book, 2) as clients:
        plain = Client(fan_out, book, chunked=False)
        await plain.has(b"")
        book.print(b"one")
        for client in (*clients, plain):
            await client.has(b"one")
        await standing(book)
        book.wake(beat=True)
        await plain.has(b"one" + BEAT)
        assert plain.chunks == [b"one", BEAT]
        for client in clients:
            await client.has(b"one" + BEAT)
            client.got = b"one"
    await plain.rest()


async def test_nobody_but_the_leader_is_woken_for_a_piece() -> None:
    book = Book()
    async with gathered(FanOut(), book, 10) as clients:
        waited = [client.follower.turn for client in clients]
        for _ in range(5):
            book.print(b"page")
            await clients[-1].has(book.text)
            await standing(book)
        assert [client.follower.turn for client in clients] == waited
        assert sum(turn is not None and not turn.done() for turn in waited) == 9


async def test_what_is_printed_during_a_pass_leaves_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_TURN", 1)
    book = Book()
    async with gathered(FanOut(), book, 10) as clients:
        book.print(b"a")
        await clients[0].has(b"a")
        for page in (b"b", b"c", b"d"):
            book.print(page)
        for client in clients:
            await client.has(b"abcd")
        assert {tuple(client.chunks) for client in clients} == {(b"1\r\na\r\n", b"3\r\nbcd\r\n")}


async def test_who_does_not_drain_leaves_the_head_holds_up_nobody_and_misses_nothing() -> None:
    book = Book()
    async with gathered(FanOut(), book, 5) as clients:
        slow = clients[2]
        slow.room.clear()
        for number in range(20):
            book.print(b"%d;" % number)
            for client in clients:
                if client is not slow:
                    await client.has(book.text)
        # It was asked once, left, and waits for room with the piece it has read by itself.
        assert (slow.got, slow.refused) == (b"", 1)
        slow.room.set()
        await slow.has(book.text)
        await standing(book)
        book.print(b"together again")
        for client in clients:
            await client.has(book.text)
        assert slow.chunks[-1] is clients[0].chunks[-1]


async def test_the_leader_may_fall_behind_or_go_away() -> None:
    book = Book()
    async with gathered(FanOut(), book, 4) as clients:
        clients[0].room.clear()
        for page in (b"a", b"b"):
            book.print(page)
            await clients[3].has(book.text)
        await standing(book)
        clients[1].task.cancel()
        await asyncio.wait([clients[1].task])
        await standing(book)
        book.print(b"c")
        await clients[3].has(book.text)
        clients[0].room.set()
        await clients[0].has(book.text)


async def test_who_waited_for_a_pass_that_its_leader_left_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_TURN", 2)
    book = Book()
    async with gathered(FanOut(), book, 9) as clients:
        book.print(b"page")
        await clients[1].has(b"page")
        assert clients[2].got == b""
        clients[0].task.cancel()
        for client in clients[1:]:
            await client.has(b"page")


async def test_who_comes_late_catches_up_and_who_comes_ahead_is_passed_over() -> None:
    book = Book()
    fan_out = FanOut()
    book.print(b"a")
    async with gathered(fan_out, book, 3) as clients:
        head = fan_out._heads["book"]
        book.pages += [b"b", b"c"]
        ahead = Client(fan_out, book, after=3)
        beyond = Client(fan_out, book, after=2)
        await asyncio.sleep(0)
        assert head.position == 1
        book.print(b"d")
        late = Client(fan_out, book)
        for client in (*clients, late):
            await client.has(b"abcd")
        await ahead.has(b"d")
        await beyond.has(b"cd")
        await standing(book)
        book.print(b"e")
        for client, text in ((clients[0], b"abcde"), (late, b"abcde"), (ahead, b"de"), (beyond, b"cde")):
            await client.has(text)
            assert client.chunks[-1] is clients[0].chunks[-1]
        book.close()
        for client in (late, ahead, beyond):
            await client.rest()


async def test_all_are_told_that_the_connection_lives() -> None:
    book = Book()
    async with gathered(FanOut(), book, 3) as clients:
        book.wake(beat=True)
        for client in clients:
            await client.has(BEAT)
            client.got = b""


async def test_what_unfinished_characters_there_were_is_known_to_all() -> None:
    book = Book()
    async with gathered(FanOut(), book, 3) as clients:
        clients[1].room.clear()
        book.print(b"x")
        await clients[2].has(b"x")
        clients[1].room.set()
    for client in clients:
        assert client.follower.leads == {(FIRST, 1): b"x"}


async def test_without_the_extension_everything_is_sent_all_the_same() -> None:
    book = Book()
    fan_out = FanOut()
    client = Client(fan_out, book)
    client.follower.offer = sending._refuse
    book.print(b"a")
    await client.has(b"a")
    await standing(book)
    book.print(b"b")
    await client.has(b"ab")
    await standing(book)
    book.close()
    assert await client.rest() == b"ab"


async def test_who_does_not_want_to_wait_is_sent_what_is_there() -> None:
    book = Book()
    client = Client(FanOut(), book, after=99)
    client.task.cancel()
    for page in (b"a", b"b", b"c", b"d"):
        book.print(page)
    client.follower.position = 1
    await FanOut().read(book, client.follower)
    assert client.got == b"bcd"
    assert not client.follower.ended


async def test_an_error_of_the_source_is_everybodys() -> None:
    class Torn(Book):
        async def pieces(
            self, after: int, *, wait: bool, until: int | None = None
        ) -> AsyncGenerator[Piece | None, None]:
            async for piece in super().pieces(after, wait=wait, until=until):
                if piece is not None and b"torn" in piece.data:
                    raise OSError("torn")
                yield piece

    book = Torn()
    fan_out = FanOut()
    clients = [Client(fan_out, book) for _ in range(3)]
    await standing(book)
    book.print(b"torn")
    found = await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
    assert [str(each) for each in found] == ["torn"] * 3
    assert not fan_out._heads


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_everybody_gets_everything_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_TURN", 2)
    monkeypatch.setattr(sending, "_CROWD", 4)
    dice = random.Random(seed)
    book = Book()
    fan_out = FanOut()
    clients: list[Client] = []
    for number in range(300):
        match dice.randrange(8):
            case 0 | 1:
                book.print(b"%d;" % number)
            case 2:
                clients.append(Client(fan_out, book, dice.randint(0, len(book.pages))))
            case 3 if clients:
                dice.choice(clients).room.clear()
            case 4 if clients:
                dice.choice(clients).room.set()
            case 5 if clients and dice.random() < 0.4:
                dice.choice(clients).task.cancel()
            case _:
                for _ in range(dice.randint(0, 4)):
                    await asyncio.sleep(0)
    book.print(b"last")
    book.close()
    assert sum(not client.task.cancelled() for client in clients) > 3
    for client in clients:
        client.room.set()
    for client in clients:
        if not client.task.cancelling():
            assert await client.rest() == b"".join(book.pages[client.after :])
    assert not fan_out._heads
