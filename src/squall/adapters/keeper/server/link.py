"""A server's connection to one living keeper."""

from __future__ import annotations

import asyncio
from pathlib import Path

from squall.adapters.keeper import wire
from squall.adapters.keeper.runlog import Key
from squall.core.errors import UnavailableError


class Link:
    """The connection to one living keeper.

    `version` is the one that it speaks, 0 as long as it has not greeted (`silent`: it stands still), `pid` its process.
    `busy` says that it has its hands full of masking, `leaving` that it was told to go as soon as it has nothing to do.
    `known` is what the run log of a silent one held.
    """

    def __init__(self, home: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.home = home
        self.reader = reader
        self.writer = writer
        self.unpacker = wire.Unpacker(wire.read_report)
        self.waiting: dict[int, asyncio.Future[wire.Reply]] = {}
        self.number = 0
        self.gone = False
        self.version = 0
        self.pid = 0
        self.busy = False
        self.leaving = False
        self.known: set[Key] = set()
        self.buried = asyncio.Event()
        self._unsent: list[bytes] = []

    @property
    def silent(self) -> bool:
        """Whether it has not greeted yet."""
        return self.version == 0

    @property
    def fit(self) -> bool:
        """Whether it may be given new trees: it answers, stays, and speaks our version of the protocol."""
        return self.version == wire.VERSION and not self.gone and not self.leaving

    async def ask(self, message: wire.Request) -> wire.Reply:
        """Sends a request and returns its reply. Raises `UnavailableError` when the keeper goes, `OSError` when it
        could not do it."""
        if self.gone:
            raise UnavailableError("The keeper of actions has ended.")
        self.number += 1
        number = self.number
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        self._send(wire.request(message, number))
        reply: wire.Reply = await future
        if reply.error is not None:
            raise OSError(f"the keeper could not {wire.name_of(message)}: {reply.error}")
        return reply

    def answered(self, reply: wire.Reply) -> None:
        """Wakes the caller of `ask` that waits for this reply."""
        future = self.waiting.pop(reply.id, None)
        if future is not None and not future.done():
            future.set_result(reply)

    def tell(self, message: wire.Request) -> None:
        """Sends a message that has no answer."""
        if not self.gone:
            self._send(wire.request(message))

    def _send(self, data: bytes) -> None:
        """Sends all that one turn of the event loop has for the keeper at once: each piece costs a change of
        processes."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.writer.is_closing():
            self.writer.write(b"".join(unsent))

    def close(self) -> None:
        """Ends the connection, not the keeper."""
        self.gone = True
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(UnavailableError("The keeper of actions has ended."))
        self.waiting.clear()
        self.writer.close()
