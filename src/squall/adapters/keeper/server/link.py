"""A server's connection to one living keeper."""

from __future__ import annotations

import asyncio
from pathlib import Path

from squall.adapters.keeper import wire
from squall.adapters.keeper.runlog import Key
from squall.core.errors import UnavailableError


class Link:
    """The connection to one living keeper.

    `version` is the keeper's protocol version, 0 until it has greeted (`silent`); `pid` is its process. `busy` is true
    if masking takes most of its time; `leaving` is true once the server sent it `Leave`. `logged` are the launches that
    the run log of a silent keeper had. `taken_over` is set once the keeper has ended and its run log has been read.
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
        self.logged: set[Key] = set()
        self.taken_over = asyncio.Event()
        self._unsent: list[bytes] = []

    @property
    def silent(self) -> bool:
        """True until the keeper has greeted."""
        return self.version == 0

    @property
    def fit(self) -> bool:
        """True if the keeper may get new trees: it answers, stays, and speaks our version of the protocol."""
        return self.version == wire.VERSION and not self.gone and not self.leaving

    async def ask(self, message: wire.Request) -> wire.Reply:
        """Sends a request and returns its reply. Raises `UnavailableError` if the keeper ends first, and `OSError` if
        the keeper reports an error."""
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
        """Sends a message that has no reply."""
        if not self.gone:
            self._send(wire.request(message))

    def _send(self, data: bytes) -> None:
        """Queues data. All data of one turn of the event loop is sent at once, as each write costs a process switch."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self.writer.is_closing():
            self.writer.write(b"".join(unsent))

    def close(self) -> None:
        """Closes the connection; the keeper continues. Pending requests raise `UnavailableError`."""
        self.gone = True
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(UnavailableError("The keeper of actions has ended."))
        self.waiting.clear()
        self.writer.close()
