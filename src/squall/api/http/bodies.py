"""Bodies on their way to the client: compressed where it takes that (RFC 9110, RFC 8878), piece by piece."""

from __future__ import annotations

import zlib
from typing import Any, Protocol

from starlette.types import Message, Send

from squall.api.http.wire import Request

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
