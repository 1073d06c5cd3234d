"""Messages between a server and its keeper: a length of four bytes, then JSON. Standard library only.

The first message each way is a greeting with the protocol's version. A keeper serves any server that speaks its
version or a later one, which must know how to speak the earlier.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from squall.core.output.journal import ServerRecord

VERSION = 4
"""The protocol's version. Fields may be added within one; meanings change only with a new one."""

_SINGLE_RECORDS = 3
"""The last version whose keepers take one record in a message."""

MAX_MESSAGE = 64 << 20
_APPENDED_AT_ONCE = 1 << 20
_LENGTH = struct.Struct(">I")


class BadMessageError(ValueError):
    """What came is no message of this protocol."""


def pack(message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Turns received bytes, cut anywhere, back into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are complete now. Raises `BadMessageError`."""
        self._buffer += data
        found: list[dict[str, Any]] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_MESSAGE:
                raise BadMessageError(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            try:
                message = json.loads(self._buffer[_LENGTH.size : end])
            except ValueError as error:
                raise BadMessageError(str(error)) from error
            if not isinstance(message, dict):
                raise BadMessageError("a message is an object")
            found.append(message)
            del self._buffer[:end]
        return found


def appending(tree: str, records: Sequence[ServerRecord], version: int) -> Iterator[dict[str, Any]]:
    """The messages that have a keeper of `version` append records, in order; each has about 1 MiB of them."""
    if version <= _SINGLE_RECORDS:
        for each in records:
            fields = {"tree": tree, "execution": each.execution, "kind": each.kind, "at": each.time}
            payload = each.payload.decode()
            yield {"op": "append", **fields, "event": each.event, "payload": payload, "create": each.create}
        return
    several: list[list[Any]] = []
    size = 0
    for each in records:
        several.append([*each[:4], each.payload.decode(), each.create])
        size += len(each.payload)
        if size >= _APPENDED_AT_ONCE:
            yield {"op": "append", "tree": tree, "records": several}
            several, size = [], 0
    if several:
        yield {"op": "append", "tree": tree, "records": several}


def appended(message: dict[str, Any]) -> list[ServerRecord]:
    """The records in a message of `appending`. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    return [
        ServerRecord(str(execution), int(kind), int(time), int(event), str(payload).encode(), bool(create))
        for execution, kind, time, event, payload, create in message["records"]
    ]


def to_text(data: bytes | None) -> str | None:
    """Bytes inside a message."""
    return None if data is None else base64.b64encode(data).decode()


def from_text(text: str | None) -> bytes | None:
    """The inverse of `to_text`."""
    return None if text is None else base64.b64decode(text)
