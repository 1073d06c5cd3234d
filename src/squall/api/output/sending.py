"""Sends one output to all who follow it.

The contract: a `Follower` is sent every piece behind its position exactly once and in order, and costs no more memory
than its connection's buffer holds, however slow it is.

Followers that have been sent all there is stand at the **head** of their source, of which there is one for each thing
that is followed. One of them, the leader, reads for all: each piece is read and encoded once, and written to every
connection in one pass, without waking anybody. What is printed during a pass leaves together in the next one.

Whose connection has not taken what was written before leaves the head. It reads by its own cursor, waiting for its
connection at every piece, and comes back when it has caught up. So nobody waits for it, and nothing piles up for it.
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

_CROWD = 32
_REST = 0.02
_TURN = 256


class Piece(NamedTuple):
    """What is sent at once. It ends at `position`; `leads` are the unfinished characters it leaves, and `end` is the
    final status record of what is followed, if it lies in this piece."""

    data: bytes
    position: Place
    leads: Leads
    end: Record | None


class Source(Protocol):
    """Something to follow, in one form. Sources with the same key give the same pieces."""

    @property
    def key(self) -> Hashable:
        """What is followed, and how."""
        ...

    @property
    def heartbeat(self) -> bytes:
        """What tells a client that the connection lives; empty where the form has no room for it."""
        ...

    def order(self, place: Place, /) -> int:
        """A number by which places are sorted: larger for a later one."""
        ...

    def pieces(self, after: Place, *, wait: bool, until: Place | None = None) -> AsyncGenerator[Piece | None, None]:
        """The pieces behind a place, to the end; without `wait` only those that are there, and none beyond the place
        `until`. None when a heartbeat is due."""
        ...


class Follower:
    """One connection's way through a source: what it has been sent so far ends at `position`.

    `leads` and `end` are as in `Piece`, of all that was sent; `ended` is set when nothing more will come.
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
        """Sends a piece, as soon as the connection takes more."""
        if piece.data:
            await self._send({"type": "http.response.body", "body": piece.data, "more_body": True})
        self.position = piece.position
        self.take(piece.leads, piece.end)

    async def finish(self, data: bytes) -> None:
        """Sends what stands behind everything, and ends the body."""
        await self._send({"type": "http.response.body", "body": data})

    def take(self, leads: Leads, end: Record | None) -> None:
        """Keeps what pieces have left."""
        self.leads.update(leads)
        self.end = end or self.end

    def wake(self) -> None:
        """Lets it look whether it has been released, or is to lead."""
        if self.turn is not None and not self.turn.done():
            self.turn.set_result(None)


def _refuse(_chunk: bytes) -> bool:
    return False


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


class _Head:
    """The followers of one source that have been sent everything up to `position`.

    A follower that comes with a later position is one of them too: it is passed over until the others are there.
    """

    def __init__(self, source: Source, position: Place) -> None:
        self.source = source
        self.position = position
        self.leads: Leads = {}
        self.end: Record | None = None
        self.members: dict[Follower, None] = {}
        self.leader: Follower | None = None

    async def lead(self, leader: Follower) -> None:
        """Reads for all members until there is no more, which releases them, or until the leader is none of them."""
        async with aclosing(self.source.pieces(self.position, wait=True)) as pieces:
            async for piece in pieces:
                if piece is None:
                    beat = _chunk(self.source.heartbeat)
                    for member in self.members if beat else ():
                        member.offer(beat if member.chunked else self.source.heartbeat)
                    continue
                await self._give(piece)
                if leader not in self.members:
                    return
        for member in list(self.members):
            member.ended = True
            self.release(member)

    async def _give(self, piece: Piece) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
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
            # Also when the leader goes away in the middle of it: nobody who waits may have missed the piece.
            for member in self._left_behind(piece.position):
                self.release(member)
        if len(self.members) >= _CROWD:
            # In a crowd the writes cost more than the bytes: half of the time goes to them, and what comes in the
            # other half leaves together.
            await asyncio.sleep(min(loop.time() - began, _REST))

    def _left_behind(self, place: Place) -> list[Follower]:
        """The members that have not got everything up to a place."""
        order = self.source.order
        others = [member for member in self.members if member.position != place]
        return [member for member in others if order(member.position) < order(place)]

    def release(self, member: Follower) -> None:
        """Sends a member on its own way."""
        self.members.pop(member, None)
        member.wake()


class FanOut:
    """Brings followers of the same source together. Use it on one event loop."""

    def __init__(self) -> None:
        self._heads: dict[Hashable, _Head] = {}

    async def follow(self, source: Source, follower: Follower) -> None:
        """Sends a follower everything behind its position, now and later, to the end of the source."""
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
        """Sends a follower what is there behind its position, and waits for no more."""
        await self._read(source, follower, None)

    async def _read(self, source: Source, follower: Follower, until: Place | None) -> None:
        """Sends a follower what is there, or what there is up to a position, which may not be shown to anybody yet."""
        wait = until is not None
        async with aclosing(source.pieces(follower.position, wait=wait, until=until)) as pieces:
            async for piece in pieces:
                await follower.send(piece or Piece(source.heartbeat, follower.position, {}, None))
        follower.ended = follower.end is not None or (wait and follower.position != until)

    async def _stand(self, head: _Head, follower: Follower) -> None:
        """Keeps a follower at the head until it is released."""
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
