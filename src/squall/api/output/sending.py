"""Sends one output to all its followers.

The contract: a `Follower` gets every piece after its position exactly once and in order. However slow it is, it costs
no more memory than the buffer of its connection.

Followers that have received everything stand at the **head** of their source. Each source has one head. One follower
there, the leader, reads for all: it reads and encodes each piece once, and writes it to every connection in one pass,
without waking the other followers' tasks. Output printed during a pass is sent together in the next pass.

A follower whose connection still holds earlier bytes leaves the head. It then reads with its own cursor, waits for its
connection at every piece, and returns to the head when it has caught up. So other followers do not wait for it, and no
data piles up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from typing import NamedTuple, Protocol

from starlette.types import Scope, Send

from squall.api.http.wire import DIRECT
from squall.api.output.forms.records import Leads
from squall.core.output.journal import Record
from squall.core.output.places import Place

_LONGEST = 0.005
"""Seconds for which one follower may send without a pause. A client that reads as fast as the server sends would
otherwise keep all others waiting."""
_CROWD = 32
_REST = 0.02
_TURN = 256


class Piece(NamedTuple):
    """The bytes of one write. It ends at `position`. `leads` are the unfinished characters at its end. `end` is the
    final status record of the followed execution, if it lies in this piece."""

    data: bytes
    position: Place
    leads: Leads
    end: Record | None


class Source(Protocol):
    """An output to follow, in one form. Sources with the same key yield the same pieces."""

    @property
    def key(self) -> Hashable:
        """The key of the followed output and its form."""
        ...

    @property
    def heartbeat(self) -> bytes:
        """The bytes of a heartbeat; empty if the form cannot carry one."""
        ...

    def order(self, place: Place, /) -> int:
        """Returns a number that sorts positions: a later position has a larger number."""
        ...

    def pieces(self, after: Place, *, wait: bool, until: Place | None = None) -> AsyncGenerator[Piece | None, None]:
        """Yields the pieces after a position, to the end. If `wait` is false, stops at the present end. Stops at the
        position `until`, if any. Yields None when a heartbeat is due."""
        ...


class Follower:
    """The state of one connection that follows a source. It has received everything up to `position`.

    `leads` and `end` are as in `Piece`, for everything received. `ended` is set when nothing more will come.
    """

    def __init__(self, scope: Scope, send: Send, position: Place) -> None:
        direct = scope.get("extensions", {}).get(DIRECT, {})
        self.offer: Callable[[bytes], bool] = direct.get("offer", _refuse)
        self.chunked: bool = direct.get("chunked", True)
        self._send = send
        self.position = position
        self.leads: Leads = {}
        self.end: Record | None = None
        self.ended = False
        self.turn: asyncio.Future[None] | None = None

    async def send(self, piece: Piece) -> None:
        """Sends a piece as soon as the connection's buffer has room."""
        if piece.data:
            await self._send({"type": "http.response.body", "body": piece.data, "more_body": True})
        self.position = piece.position
        self.take(piece.leads, piece.end)

    async def finish(self, data: bytes) -> None:
        """Sends the last bytes and ends the body."""
        await self._send({"type": "http.response.body", "body": data})

    def take(self, leads: Leads, end: Record | None) -> None:
        """Records the unfinished characters and the end of sent pieces."""
        self.leads.update(leads)
        self.end = end or self.end

    def wake(self) -> None:
        """Wakes this follower, so that it checks whether it was released or became leader."""
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(None)


class _Breaks:
    """Lets other work of the event loop run, at least each `_LONGEST` seconds."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._since = self._time()

    async def take(self) -> None:
        """Makes a break if one is due."""
        if self._time() - self._since > _LONGEST:
            await asyncio.sleep(0)
            self._since = self._time()


def _refuse(_chunk: bytes) -> bool:
    return False


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


class _Head:
    """The followers of one source that have received everything up to `position`.

    A follower with a later position is a member too: it gets nothing until the others have reached its position.
    """

    def __init__(self, source: Source, position: Place) -> None:
        self.source = source
        self.position = position
        self.leads: Leads = {}
        self.end: Record | None = None
        self.members: dict[Follower, None] = {}
        self.leader: Follower | None = None

    async def lead(self, leader: Follower) -> None:
        """Reads for all members until the source ends, which releases them, or until the leader is no member."""
        breaks = _Breaks()
        async with aclosing(self.source.pieces(self.position, wait=True)) as pieces:
            async for piece in pieces:
                if piece is None:
                    beat = _chunk(self.source.heartbeat)
                    for member in self.members if beat else ():
                        member.offer(beat if member.chunked else self.source.heartbeat)
                    continue
                await self._write(piece)
                if leader not in self.members:
                    return
                await breaks.take()
        for member in list(self.members):
            member.ended = True
            self.release(member)

    async def _write(self, piece: Piece) -> None:
        loop = asyncio.get_running_loop()
        pass_start = loop.time()
        start, self.position = self.position, piece.position
        self.leads.update(piece.leads)
        self.end = piece.end or self.end
        chunk = _chunk(piece.data)
        try:
            for number, member in enumerate(list(self.members), 1):
                data = chunk if member.chunked else piece.data
                if member.position == start and (not data or member.offer(data)):
                    member.position = piece.position
                if number % _TURN == 0:
                    await asyncio.sleep(0)
        finally:
            # Also when the leader is cancelled during the pass: a member that stays must not have missed the piece.
            for member in self._left_behind(piece.position):
                self.release(member)
        if len(self.members) >= _CROWD:
            # With many members the number of writes costs more than the bytes. Writing takes half of the time; output
            # that comes in the other half is sent together.
            await asyncio.sleep(min(loop.time() - pass_start, _REST))

    def _left_behind(self, place: Place) -> list[Follower]:
        """Returns the members that have not received everything up to a position."""
        order = self.source.order
        others = [member for member in self.members if member.position != place]
        return [member for member in others if order(member.position) < order(place)]

    def release(self, member: Follower) -> None:
        """Removes a member from the head, and wakes it so that it continues alone."""
        self.members.pop(member, None)
        member.wake()


class FanOut:
    """The heads of all sources: it groups followers of the same source. Use it on one event loop."""

    def __init__(self) -> None:
        self._heads: dict[Hashable, _Head] = {}

    async def follow(self, source: Source, follower: Follower) -> None:
        """Sends a follower everything after its position, present and future, to the end of the source."""
        caught_up = False
        while not follower.ended:
            head = self._heads.get(source.key)
            if head is None and caught_up:
                head = self._heads[source.key] = _Head(source, follower.position)
            if head is not None and source.order(head.position) <= source.order(follower.position):
                await self._stand(head, follower)
                caught_up = False
            else:
                await self._read(source, follower, None if head is None else head.position)
                caught_up = True

    async def read(self, source: Source, follower: Follower) -> None:
        """Sends a follower the present output after its position, and does not wait for more."""
        await self._read(source, follower, None)

    async def _read(self, source: Source, follower: Follower, until: Place | None) -> None:
        """Sends a follower the present output, or everything up to the position `until`, for which it waits if that is
        not readable yet."""
        wait, breaks = until is not None, _Breaks()
        async with aclosing(source.pieces(follower.position, wait=wait, until=until)) as pieces:
            async for piece in pieces:
                await follower.send(piece or Piece(source.heartbeat, follower.position, {}, None))
                await breaks.take()
        follower.ended = follower.end is not None or (wait and follower.position != until)

    async def _stand(self, head: _Head, follower: Follower) -> None:
        """Holds a follower at the head until it is released."""
        head.members[follower] = None
        try:
            while follower in head.members:
                if head.leader is None:
                    head.leader = follower
                    try:
                        await head.lead(follower)
                    finally:
                        head.leader = None
                else:
                    follower.turn = asyncio.get_running_loop().create_future()
                    await follower.turn
        finally:
            head.members.pop(follower, None)
            follower.take(head.leads, head.end if follower.position >= head.position else None)
            if head.members:
                if head.leader is None:
                    next(iter(head.members)).wake()
            elif self._heads.get(head.source.key) is head:
                del self._heads[head.source.key]
