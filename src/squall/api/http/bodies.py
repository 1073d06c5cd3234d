"""Bodies on their way to the client, piece by piece: streams that end with the client or its credential, and
compression if the client takes it (RFC 9110, RFC 8878)."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.types import Message, Send

from squall.api.http.wire import Request, start_message

_ENCODINGS = ("zstd", "gzip")
_GZIP = 31
_LEVEL = 3


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def encoding_for(request: Request) -> str | None:
    """The encoding that the client prefers among ours; None if it takes none of them."""
    found: dict[str, float] = {}
    for item in (request.header("accept-encoding") or "").split(","):
        name, _, rest = item.strip().lower().partition(";")
        weight = 1.0
        if rest.strip().startswith("q="):
            try:
                weight = float(rest.strip()[2:])
            except ValueError:
                weight = 0.0
        found[name.strip()] = weight
    known = [(found[name], -at, name) for at, name in enumerate(_ENCODINGS) if found.get(name, 0.0) > 0]
    return max(known)[2] if known else None


def compressed(send: Send, encoding: str | None) -> Send:
    """`send` with its bodies in an encoding. What is sent is only complete with a last message without `more_body`."""
    if encoding is None:
        return send
    compressor = _compressor(encoding)

    async def wrapped(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body: Any = message.get("body", b"")
        more = message.get("more_body", False)
        data = compressor.compress(bytes(body)) if body else b""
        if not more:
            data += compressor.flush()
        if data or not more:
            await send({"type": "http.response.body", "body": data, "more_body": more})

    return wrapped


def _compressor(encoding: str) -> _Compressor:
    if encoding == "gzip":
        return zlib.compressobj(_LEVEL, wbits=_GZIP)
    # Loaded with the first client that takes it.
    from backports.zstd import ZstdCompressor

    return ZstdCompressor(level=_LEVEL)


def stream_headers(content_type: str) -> dict[str, str]:
    """Headers that keep every proxy from holding pieces back."""
    return {"Content-Type": content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def answer_stream(
    request: Request, send: Send, headers: Mapping[str, str], pump: Callable[[], Awaitable[None]], status: int = 200
) -> None:
    """Sends the headers, then the body, which `pump` sends to its end, unless the client goes away or its credential
    ends before. HEAD gets the headers, and `pump` is not called."""
    await send(start_message(status, headers))
    if request.scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
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
