"""Byte ranges of raw output (RFC 9110, section 14). The server reads only the requested part."""

from __future__ import annotations

import re
from typing import NamedTuple

from starlette.types import Send

from squall.api.http.wire import Request, failure, start_message
from squall.api.output.selection import Selection
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.core.output.line_query import OutputSums
from squall.services.execution.executions import Executions
from squall.services.output.line_reading import LineReading
from squall.services.output.outputs import Outputs

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_DIGITS = 19
"""A number with so many digits is larger than any size. Python refuses to read one with more than 4300."""


class Span(NamedTuple):
    """Bytes `first` to `last` (inclusive) of `total`."""

    first: int
    last: int
    total: int


def span_of(header: str, total: int) -> Span | None:
    """Returns the span that a `Range` header requests; None if the server must ignore the header (another unit, or
    several ranges). An empty span (last before first) cannot be satisfied."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    first, last = (int(text.lstrip("0")[:_DIGITS] or 0) if text else None for text in match.groups())
    if first is None:
        return Span(max(0, total - (last or 0)), total - 1, total)
    if last is not None and last < first:
        return None
    return Span(first, total - 1 if last is None else min(last, total - 1), total)


class Ranges:
    """The answers to requests for a range."""

    def __init__(self, reading: LineReading, outputs: Outputs) -> None:
        self._reading = reading
        self._outputs = outputs

    async def answer(
        self,
        request: Request,
        send: Send,
        execution: Execution,
        selection: Selection,
        executions: Executions,
        streams: frozenset[int] | None,
        grows: bool,
    ) -> bool:
        """Sends the requested span. Returns False if the server must ignore the header, as it must for several
        executions. If the output still `grows`, the answer has no total."""
        members = await selection.members(executions)
        if members is None or members != (execution.id,):
            return False
        sums = (await self._reading.sums(execution, members)).get(execution.id, OutputSums())
        total = sum(size for stream, size in enumerate(sums.sizes) if streams is None or stream in streams)
        span = span_of(request.header("range") or "", total)
        if span is None:
            return False
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}
        if span.first > span.last:
            refusal = failure(416, f"Range: the output has only {total} bytes")
            refusal.headers |= {"Content-Range": f"bytes */{total}", "Accept-Ranges": "bytes"}
            await refusal.send(send, b"")
            return True
        headers["Content-Range"] = f"bytes {span.first}-{span.last}/{'*' if grows else span.total}"
        headers["Content-Length"] = str(span.last - span.first + 1)
        await send(start_message(206, headers))
        await self._send(send, execution, span, streams)
        return True

    async def _send(self, send: Send, execution: Execution, span: Span, streams: frozenset[int] | None) -> None:
        stream_numbers = None if streams is None else tuple(sorted(streams))
        position, skip = await self._reading.place_of_byte(execution, span.first, stream_numbers)
        remaining = span.last - span.first + 1
        async for batch in self._outputs.follow(execution, False, position, False, 60.0):
            if batch is None:
                continue
            parts: list[bytes] = []
            for record in batch.records:
                if record.kind != journal.OUTPUT or (streams is not None and record.stream not in streams):
                    continue
                data = bytes(record.payload)[skip : skip + remaining]
                skip = max(0, skip - len(record.payload))
                remaining -= len(data)
                parts.append(data)
            if body := b"".join(parts):
                await send({"type": "http.response.body", "body": body, "more_body": remaining > 0})
            if not remaining:
                return
        await send({"type": "http.response.body", "body": b""})
