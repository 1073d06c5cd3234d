"""The one function that sends an event stream: its headers, its pieces, its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.types import Send

from squall.api.http.bodies import answer_stream, stream_headers
from squall.api.http.routes import EVENTS
from squall.api.http.wire import Request
from squall.api.output.forms.frames import BEAT


async def send_events(request: Request, send: Send, pieces: AsyncGenerator[bytes, None]) -> None:
    """Answers with an event stream of these pieces. It sends a heartbeat for an empty piece."""

    async def pump() -> None:
        async with aclosing(pieces):
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece or BEAT, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    await answer_stream(request, send, stream_headers(EVENTS), pump)
