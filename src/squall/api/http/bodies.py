"""Bodies that are sent piece by piece: streams that end when the client disconnects or its credential expires, and
compression if the client accepts it (RFC 9110, RFC 8878)."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from starlette.types import Message, Send

from squall.api.http.wire import Request, start_message
from squall.core.errors import InvalidError, SquallError

Result = TypeVar("Result")
_ENCODINGS = ("zstd", "gzip")
_GZIP = 31
_LEVEL = 3


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def encoding_for(request: Request) -> str | None:
    """Returns the encoding among ours that the client prefers; None if it accepts none of them."""
    weights: dict[str, float] = {}
    for item in (request.header("accept-encoding") or "").split(","):
        name, _, rest = item.strip().lower().partition(";")
        weight = 1.0
        if rest.strip().startswith("q="):
            try:
                weight = float(rest.strip()[2:])
            except ValueError:
                weight = 0.0
        weights[name.strip()] = weight
    accepted = [(weights[name], -at, name) for at, name in enumerate(_ENCODINGS) if weights.get(name, 0.0) > 0]
    return max(accepted)[2] if accepted else None


def compressed(send: Send, encoding: str | None) -> Send:
    """Returns a `send` that compresses bodies with `encoding`. The compressed body is complete only after a last
    message without `more_body`."""
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
    # Importing is deferred to the first client that accepts this encoding.
    from backports.zstd import ZstdCompressor

    return ZstdCompressor(level=_LEVEL)


def stream_headers(content_type: str) -> dict[str, str]:
    """Returns the headers of a stream. They keep proxies from buffering pieces."""
    return {"Content-Type": content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def answer_stream(
    request: Request, send: Send, headers: Mapping[str, str], pump: Callable[[], Awaitable[None]], status: int = 200
) -> None:
    """Sends the headers, then runs `pump`, which sends the body. Cancels `pump` if the client disconnects or its
    credential expires. HEAD gets only the headers, and `pump` is not called."""
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
        # Every event carries its position, so the client can resume with another credential.
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b""})


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Returns the result of `work`, which begins when the body has been read. Cancels it if the client disconnects.
    Raises `InvalidError` then, which nobody reads."""
    results: list[Result] = []
    errors: list[SquallError] = []

    async def run() -> None:
        try:
            results.append(await work)
        except SquallError as error:
            errors.append(error)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())

        async def listen() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            task.cancel()

        listener = group.create_task(listen())
        task.add_done_callback(lambda _: listener.cancel())
    work.close()
    if errors:
        raise errors[0]
    if not results:
        raise InvalidError("The client has disconnected.")
    return results[0]


async def _swallow_cancel(work: Awaitable[None]) -> None:
    """Awaits `work`. A client that has disconnected is no error."""
    with contextlib.suppress(OSError):
        await work
