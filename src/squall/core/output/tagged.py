"""Tagged output: the frames in which a process passes on the output of several sources (hosts, say), each with a tag.

A process that was started with `LaunchSpec.tagged` finds the number of a descriptor in the environment variable
`RECORDS_FD`, and writes frames there. A frame is a header of eight bytes, then the tag, then the payload:

    >BxHI   stream (1 stdout, 2 stderr, 3 output), a zero, length of the tag, length of the payload
    tag     UTF-8, at most 255 bytes; not empty
    payload at most 1 MiB of any bytes; longer output is written as several frames

Frames of one tag and stream make up one output: a character or a secret may be split over them. They may be written in
pieces of any size. This module needs only the standard library, so that any process can use it.
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
    """The bytes are not a frame; the frames behind them cannot be recognized."""


def pack(stream: int, tag: str, payload: bytes) -> bytes:
    """Packs `payload` into as many frames as it needs. Raises `ValueError` for a stream or a tag that no frame can
    carry."""
    name = tag.encode()
    if stream not in STREAMS or not 0 < len(name) <= MAX_TAG:
        raise ValueError(f"no frame can carry stream {stream} and tag {tag[:80]!r}")
    parts = [payload[at : at + MAX_PAYLOAD] for at in range(0, len(payload), MAX_PAYLOAD)]
    return b"".join([_HEADER.pack(stream, len(name), len(part)) + name + part for part in parts])


class Unpacker:
    """Turns bytes, split anywhere, back into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """The number of bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes | memoryview) -> tuple[list[Tagged], MalformedError | None]:
        """Takes the next bytes. Returns the frames that are complete now, and the error in the bytes behind them, if
        there is one."""
        self._buffer += data
        frames: list[Tagged] = []
        at = 0
        error = None
        while len(self._buffer) - at >= _HEADER.size:
            stream, tag_size, size = _HEADER.unpack_from(self._buffer, at)
            if stream not in STREAMS or not 0 < tag_size <= MAX_TAG or size > MAX_PAYLOAD:
                error = MalformedError(f"stream {stream}, a tag of {tag_size} bytes and a payload of {size} bytes")
                break
            body = at + _HEADER.size + tag_size
            if len(self._buffer) < body + size:
                break
            try:
                tag = self._buffer[body - tag_size : body].decode()
            except UnicodeDecodeError:
                error = MalformedError("a tag that is not UTF-8")
                break
            frames.append(Tagged(stream, tag, bytes(self._buffer[body : body + size])))
            at = body + size
        if error is not None:
            self._buffer.clear()
        else:
            del self._buffer[:at]
        return frames, error
