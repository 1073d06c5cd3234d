"""A workflow's state as bytes: MessagePack, or JSON if a value has a number of more than 64 bits.

The first byte distinguishes them: all stored values are arrays, and no MessagePack array begins with `[`.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


def encoded(value: Any) -> bytes:
    """Encodes a value that is plain JSON inside. Raises `TypeError` for any other value."""
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return msgspec.json.encode(value)


class Coding(Generic[T]):
    """Decodes the bytes of `encoded` for values of one type, which is an array."""

    def __init__(self, kind: Any) -> None:
        self._packed: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._json: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def decode(self, data: bytes) -> T:
        """Returns the value. Raises `msgspec.ValidationError`."""
        return self._json.decode(data) if data[:1] == b"[" else self._packed.decode(data)
