"""Tagged output: how a process hands over what several others print, one host's say, each piece under its tag.

A process that was started with `LaunchSpec.tagged` finds the number of a descriptor in the environment variable
`RECORDS_FD`, and writes frames there. A frame is a header of eight bytes, then the tag, then the payload:

    >BxHI   stream (1 stdout, 2 stderr, 3 output), a zero, length of the tag, length of the payload
    tag     UTF-8, at most 255 bytes; not empty
    payload at most 1 MiB of any bytes; longer output is written as several frames

Frames of one tag and stream make up one output: a character or a secret may be split over them. They may be written in
pieces of any size. The standard library is all that is needed here, so that any process can use it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

RECORDS_FD: Final = "SQUALL_RECORDS_FD"
"""The environment variable with the number of the descriptor that takes frames."""

RESULT_FD: Final = "SQUALL_RESULT_FD"
"""The environment variable with the number of the descriptor that takes a result, any bytes, until it is closed."""

MAX_TAG: Final = 255
MAX_PAYLOAD: Final = 1 << 20
STREAMS: Final = (1, 2, 3)

_HEADER: Final = struct.Struct(">BxHI")


class Tagged(NamedTuple):
    """One frame."""

    stream: int
    tag: str
    payload: bytes


class MalformedError(ValueError):
    """What was written is no frame; nothing behind it can be told apart."""


def pack(stream: int, tag: str, payload: bytes) -> bytes:
    """`payload` as frames, as many as it takes. Raises `ValueError` for a stream or a tag that cannot be told."""
    name = tag.encode()
    if stream not in STREAMS or not 0 < len(name) <= MAX_TAG:
        raise ValueError(f"no frame can carry stream {stream} and tag {tag[:80]!r}")
    parts = [payload[at : at + MAX_PAYLOAD] for at in range(0, len(payload), MAX_PAYLOAD)]
    return b"".join([_HEADER.pack(stream, len(name), len(part)) + name + part for part in parts])


class Unpacker:
    """Turns written bytes, cut anywhere, back into frames. `pending` counts the bytes of a frame that is not whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes | memoryview) -> tuple[list[Tagged], MalformedError | None]:
        """The frames that are whole now, and what is wrong behind them, if something is."""
        self._buffer += data
        found: list[Tagged] = []
        at = 0
        wrong = None
        while len(self._buffer) - at >= _HEADER.size:
            stream, named, size = _HEADER.unpack_from(self._buffer, at)
            if stream not in STREAMS or not 0 < named <= MAX_TAG or size > MAX_PAYLOAD:
                wrong = MalformedError(f"stream {stream}, a tag of {named} bytes and a payload of {size} bytes")
                break
            body = at + _HEADER.size + named
            if len(self._buffer) < body + size:
                break
            try:
                tag = self._buffer[body - named : body].decode()
            except UnicodeDecodeError:
                wrong = MalformedError("a tag that is no UTF-8")
                break
            found.append(Tagged(stream, tag, bytes(self._buffer[body : body + size])))
            at = body + size
        if wrong is not None:
            self._buffer.clear()
        else:
            del self._buffer[:at]
        return found, wrong
