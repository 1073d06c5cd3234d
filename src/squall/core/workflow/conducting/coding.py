"""A workflow's state as bytes: MessagePack, or JSON where a value has a number of more than 64 bits.

The first byte tells them apart: what is stored are arrays, and no array of MessagePack begins with `[`.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


def encoded(value: Any) -> bytes:
    """A value that is plain JSON inside, as bytes. Raises `TypeError` for one that is not."""
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return msgspec.json.encode(value)


class Coding(Generic[T]):
    """Reads what `encoded` made of values of one type, which are arrays."""

    def __init__(self, kind: Any) -> None:
        self._packed: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._json: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def decode(self, data: bytes) -> T:
        """The value. Raises `msgspec.ValidationError`."""
        return self._json.decode(data) if data[:1] == b"[" else self._packed.decode(data)
