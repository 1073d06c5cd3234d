"""A server's connection to one living keeper."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from squall.adapters.keeper import wire
from squall.core.errors import UnavailableError


class Link:
    """The connection to one living keeper."""

    def __init__(self, home: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.home = home
        self.reader = reader
        self.writer = writer
        self.unpacker = wire.Unpacker()
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.number = 0
        self.gone = False
        self.buried = asyncio.Event()

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Sends a message and waits for its answer. Raises `UnavailableError` when the keeper goes, `OSError` when it
        could not do it."""
        if self.gone:
            raise UnavailableError("The keeper of actions has ended.")
        self.number += 1
        number = self.number
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        self.writer.write(wire.pack({**message, "id": number}))
        answer = await future
        if "error" in answer:
            raise OSError(f"the keeper could not {message['op']}: {answer['error']}")
        return dict(answer)

    def tell(self, message: dict[str, Any]) -> None:
        """Sends a message that has no answer."""
        if not self.gone:
            self.writer.write(wire.pack(message))

    def close(self) -> None:
        """Ends the connection, not the keeper."""
        self.gone = True
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(UnavailableError("The keeper of actions has ended."))
        self.waiting.clear()
        self.writer.close()
