"""The parser of server-sent events: it takes a stream of bytes in chunks that end anywhere.

The cost is per chunk and per event, not per byte. One `bytes.rfind` searches a chunk for blank lines, whatever its
size. An event that comes in many chunks is not searched again from its start.
"""

from __future__ import annotations

from typing import NamedTuple

from squall.core.errors import UnavailableError

MAX_EVENT_BYTES = 64 * 1024 * 1024


class Event(NamedTuple):
    """One dispatched event. `id` is the last id in the stream so far, or "" if there was none."""

    id: str
    name: str
    data: bytes


class Parser:
    """The parser of one stream. It drops an incomplete event at the end of the stream."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_id = ""
        self._pending = bytearray()
        self._skip_newline = False
        self._max_event_bytes = max_event_bytes

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events that this chunk completes, in order.

        Raises `UnavailableError` if one event exceeds the limit: then the answer is not an event stream.
        """
        chunk = self._unify_line_ends(chunk)
        pending = self._pending
        # The blank line may begin with the last byte of the previous chunk, but not earlier.
        start = max(0, len(pending) - 1)
        pending += chunk
        end = pending.rfind(b"\n\n", start)
        if end < 0:
            if len(pending) > self._max_event_bytes:
                raise UnavailableError(f"the server sent an event of more than {self._max_event_bytes} bytes")
            return []
        complete = bytes(memoryview(pending)[:end])
        del pending[: end + 2]
        events = []
        for block in complete.split(b"\n\n"):
            event = self._parse(block)
            if event is not None:
                events.append(event)
        return events

    def _unify_line_ends(self, chunk: bytes) -> bytes:
        """Returns the chunk with every CR and CRLF as LF, even if CR and LF come in two chunks."""
        if self._skip_newline and chunk:
            self._skip_newline = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\r" not in chunk:
            return chunk
        self._skip_newline = chunk[-1:] == b"\r"
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _parse(self, block: bytes) -> Event | None:
        """Returns the event of one block of lines; None if the block has no data line (comments, an id alone)."""
        name = ""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if value[:1] == b" ":
                value = value[1:]
            if field == b"data":
                data.append(value)
            elif field == b"event":
                name = value.decode("utf-8", "replace")
            elif field == b"id" and b"\0" not in value:
                self.last_id = value.decode("utf-8", "replace")
        if not data:
            return None
        return Event(self.last_id, name or "message", data[0] if len(data) == 1 else b"\n".join(data))
