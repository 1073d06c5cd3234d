"""The stream of one execution and its descendants, as `st2 execution tail` requests it, from the start or from an id.

The journal's order is the stream's order. The list of events of a record depends only on the record and the followed
execution, so an id (`places.TailMark`) says exactly which of them have been sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from time import monotonic
from typing import NamedTuple

import msgspec
import orjson

from squall.api.execution.views import Views
from squall.api.output.following import Following
from squall.api.output.forms.frames import BEAT, OPENING, event_frame, frame, id_alone, id_line, lag_comment
from squall.api.output.forms.records import Jump, gap_text
from squall.api.output.forms.stackstorm import line_events, line_texts, numbered_events
from squall.core.event import events
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, as_of
from squall.core.output import journal
from squall.core.output.journal import Batch, Record
from squall.core.output.places import BEGINNING, Place, TailMark
from squall.services.event.feeds import Feeds
from squall.services.execution.executions import Executions
from squall.services.output.labels import Label
from squall.services.output.outputs import Outputs, status_of

_REPLACEMENT = memoryview("\N{REPLACEMENT CHARACTER}".encode())


class StreamSources(NamedTuple):
    """The services that event streams read. `now` returns µs since 1970, `heartbeat` is in seconds."""

    executions: Executions
    outputs: Outputs
    feeds: Feeds
    views: Views
    now: Callable[[], int]
    heartbeat: float


class _Part(NamedTuple):
    """The bytes for one batch. No part follows the one in which the tail has `ended`."""

    data: bytes
    ended: bool


class Tail:
    """One reader's stream of the execution `top`. `patterns` are the names of the events that the reader requests."""

    def __init__(self, top: Execution, patterns: tuple[str, ...], sources: StreamSources) -> None:
        self._top = top
        self._patterns = patterns
        self._executions = sources.executions
        self._outputs = sources.outputs
        self._feeds = sources.feeds
        self._views = sources.views
        self._now = sources.now
        self._heartbeat = sources.heartbeat
        self._place = TailMark(0, BEGINNING)
        self._memberships: dict[str, bool] = {top.id: True}
        self._wants_output = events.matches(events.OUTPUT_CREATE, patterns)

    async def pieces(self, resumed: TailMark | None) -> AsyncGenerator[bytes, None]:
        """Yields the bytes to send, a newline first. Empty bytes are heartbeats.

        Ends after the top's final update, or when the server stops. A reader that resumes after that update gets only
        the newline.
        """
        yield OPENING
        rows = await self._feeds.rows(self._top.id) if resumed is not None else {}
        final_row = next((row for status, row in rows.items() if status in ex.FINAL), None)
        if resumed is not None and final_row is not None and resumed.row >= final_row:
            return
        place = self._place = resumed or self._place
        # The opening's first event has the row before that of `running`: a reader that resumes there gets the second.
        half = resumed is not None and place.place == BEGINNING and place.row == rows.get(ex.RUNNING, 0) - 1
        if resumed is None or half:
            async for reached, piece in self._opening(place, skip=int(half)):
                self._place = reached
                yield piece
        following = Following(
            self._outputs, self._top, whole=True, policy=None, heartbeat=self._heartbeat, now=self._now
        )
        parts = following.parts(self, self._place.place)
        async with aclosing(parts):
            async for part in parts:
                if part is None:
                    yield b""
                    continue
                if part.data:
                    yield part.data
                if part.ended:
                    return
        place = self._place
        if self._outputs.stopping:
            yield id_alone(place.token())
            return
        top = await self._executions.get(self._top.id)
        row = (await self._feeds.rows(top.id)).get(top.status, place.row)
        slots = await self._slots(top, top.status)
        marks = [place, TailMark(row, place.place)]
        yield _marked(slots, marks)

    async def encode(self, after: Place, batch: Batch) -> _Part:
        """See `following.Form`. Continues after the batches that it has encoded before."""
        parts: list[bytes] = []
        for record in batch.records:
            self._place, data, ended = await self._record(record, self._place)
            parts.append(data)
            if ended:
                return _Part(b"".join(parts) or BEAT, True)
        self._place = TailMark(self._place.row, batch.position)
        # If this reader requests none of the events, it gets a heartbeat.
        return _Part(b"".join(parts) or (BEAT if parts else b""), False)

    def jumped(self, jump: Jump) -> _Part:
        """See `following.Form`. A tail sends everything, so it never jumps."""
        self._place = TailMark(self._place.row, jump.end)
        return _Part(b"", False)

    def lagging(self, last: _Part, ms: int, lag_bytes: int) -> _Part | None:
        """See `following.Form`."""
        return _Part(lag_comment(ms, lag_bytes), False)

    async def _opening(self, place: TailMark, skip: int) -> AsyncIterator[tuple[TailMark, bytes]]:
        """Waits until the top runs, then yields its events, even if it prints nothing for hours."""
        idle = monotonic()
        async with self._outputs.changes(self._top.tree) as changed:
            while not self._outputs.stopping:
                top = await self._executions.get(self._top.id, False)
                if top.status in ex.STARTED:
                    if any(entry.status == ex.RUNNING for entry in top.log):
                        row = (await self._feeds.rows(top.id)).get(ex.RUNNING, 1)
                        marks = [TailMark(row - 1, BEGINNING), TailMark(row, BEGINNING)]
                        yield marks[-1], _marked((await self._slots(top, ex.RUNNING))[skip:], marks[skip:])
                    return
                await changed(self._heartbeat)
                if monotonic() - idle >= self._heartbeat:
                    idle = monotonic()
                    yield place, b""

    async def _record(self, record: Record, place: TailMark) -> tuple[TailMark, bytes, bool]:
        """Returns the position after a record, the bytes of its events, and True if it ends the tail."""
        after = TailMark(max(place.row, journal.event_row(record.event)), record.end)
        if not await self._holds(record.execution):
            return after, b"", False
        child = record.execution != self._top.id
        if record.kind == journal.OUTPUT and self._wants_output and not (child and record.prev == 0):
            return after, await self._output(record, place, after), False
        slots = await self._events(record)
        marks = [TailMark(place.row, place.place, number) for number in range(place.sent + 1, len(slots))]
        data = _marked(slots[place.sent :], [*marks, after])
        ended = record.kind == journal.STATUS and record.execution == self._top.id and status_of(record) in ex.FINAL
        return after, data, ended

    async def _output(self, record: Record, place: TailMark, after: TailMark) -> bytes:
        """Returns the events of an output record with the same numbers as `_events`, without a loop over them."""
        label = (await self._outputs.labels({record.execution})).get(record.execution)
        texts = line_texts(record)
        if not texts:
            return b""
        frames = numbered_events(record, texts, label, place.stem().encode())
        _, _, last = frames[-1].partition(b"\n")
        frames[-1] = id_line(after.token()) + last
        return b"".join(frames[place.sent :] if place.sent else frames)

    async def _events(self, record: Record) -> list[list[bytes]]:
        """Returns the events of a record. Their number is the same for every reader: events that this reader does not
        request are empty."""
        slots: list[list[bytes]] = []
        child = record.execution != self._top.id
        if child and record.prev == 0:
            slots += await self._announce(record.execution)
        if record.kind == journal.OUTPUT:
            label = (await self._outputs.labels({record.execution})).get(record.execution)
            texts = line_texts(record)
            slots += [[event] if self._wants_output else [] for event in line_events(record, texts, label)]
        elif record.kind == journal.GAP:
            slots.append([self._gap(record)] if self._wants_output else [])
        elif record.kind == journal.STATUS:
            status = status_of(record)
            # If the top has a parent, the client stops at the first end of any execution, so hide the others' ends.
            hidden = child and status in ex.FINAL and self._top.parent is not None
            if status != ex.RUNNING and not hidden:
                execution = await self._executions.get(record.execution)
                rest = await self._unfinished(record) if status in ex.FINAL else []
                slots += [*rest, *await self._slots(execution, status)]
        return slots

    async def _unfinished(self, record: Record) -> list[list[bytes]]:
        """Returns the events for unfinished characters of an ended execution: one replacement character for each
        stream."""
        slots: list[list[bytes]] = []
        for _, stream in sorted(await self._outputs.unfinished(self._top.tree, record)):
            whole = record._replace(stream=stream, lead=b"", payload=_REPLACEMENT)
            slots.append(line_events(whole, line_texts(whole), None) if self._wants_output else [])
        return slots

    async def _announce(self, execution_id: str) -> list[list[bytes]]:
        """Returns the events that a descendant runs; empty ones if it was canceled before it ran."""
        execution = await self._executions.get(execution_id, False)
        ran = any(entry.status == ex.RUNNING for entry in execution.log)
        return await self._slots(execution, ex.RUNNING) if ran else [[], []]

    def _gap(self, record: Record) -> bytes:
        fields = {
            "execution_id": record.execution,
            "output_type": journal.STREAMS.get(record.stream, "output"),
            "timestamp": None,
            "data": gap_text(record),
            "gap": msgspec.json.decode(record.payload),
        }
        return frame(events.OUTPUT_CREATE, orjson.dumps(fields))

    async def _slots(self, execution: Execution, status: str) -> list[list[bytes]]:
        """Returns the updates of the liveaction and of the execution with a status; empty if not requested."""
        snapshot = as_of(execution, status)
        liveaction, update = [], []
        if events.matches(events.LIVEACTION_UPDATE, self._patterns):
            liveaction = [event_frame(events.LIVEACTION_UPDATE, self._views.liveaction(snapshot))]
        if events.matches(events.EXECUTION_UPDATE, self._patterns):
            update = [event_frame(events.EXECUTION_UPDATE, await self._views.execution(snapshot))]
        return [liveaction, update]

    async def _holds(self, execution_id: str) -> bool:
        """Returns True if an execution is the top or a descendant of it."""
        path: list[str] = []
        ancestor: str | None = execution_id
        while ancestor is not None and ancestor not in self._memberships:
            path.append(ancestor)
            label: Label | None = (await self._outputs.labels({ancestor})).get(ancestor)
            ancestor = label.parent if label is not None else None
        verdict = self._memberships[ancestor] if ancestor is not None else False
        self._memberships.update(dict.fromkeys(path, verdict))
        return verdict


def _marked(slots: Sequence[Sequence[bytes]], marks: Sequence[TailMark]) -> bytes:
    """Returns events with their ids, one mark for each slot.

    Only the last of several frames in a slot has the id: a reader that is cut off between them gets all of them again.
    If the last slots are empty, the last event has the last mark, because nothing remains to send.
    """
    filled = [number for number, slot in enumerate(slots) if slot]
    parts = []
    for number in filled:
        mark = marks[-1] if number == filled[-1] else marks[number]
        parts += [*slots[number][:-1], id_line(mark.token()), slots[number][-1]]
    return b"".join(parts)


def patterns_of(names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the patterns of `events=`; without it StackStorm's default, which has no output."""
    return tuple(names) if names else events.DEFAULT_PATTERNS
