"""The one way in which a stream goes out: its head, its pieces, its end; and what stops it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from starlette.types import Send

from squall.api.http.wire import Request, start_message
from squall.api.output.forms.frames import BEAT

EVENT_STREAM = "text/event-stream; charset=UTF-8"


def stream_headers(content_type: str) -> dict[str, str]:
    """Headers that keep every proxy from holding pieces back."""
    return {"Content-Type": content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def send_events(request: Request, send: Send, pieces: AsyncGenerator[bytes, None]) -> None:
    """Answers with an event stream of these pieces; an empty one stands for a heartbeat."""

    async def pump() -> None:
        await send(start_message(200, stream_headers(EVENT_STREAM)))
        async with aclosing(pieces):
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece or BEAT, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    await until_disconnect(request, send, pump)


async def until_disconnect(request: Request, send: Send, pump: Callable[[], Awaitable[None]]) -> None:
    """Runs `pump`, which sends one whole answer, to its end, or until the client has gone, or may no longer read."""
    void = False
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_swallow_cancel(pump()))

        async def listen() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            task.cancel()

        async def expire() -> None:
            nonlocal void
            await request.until_void()
            void = not task.done()
            task.cancel()

        watchers = [group.create_task(listen()), group.create_task(expire())]
        task.add_done_callback(lambda _: [watcher.cancel() for watcher in watchers])
    if void:
        # Every event has told its position, so the client can go on with another credential.
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b""})


async def _swallow_cancel(work: Awaitable[None]) -> None:
    """A client that has gone is no error."""
    with contextlib.suppress(OSError):
        await work
