"""`GET /stream`: StackStorm's event stream, with ids and resuming, and its form that tails one execution."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from time import monotonic

from starlette.types import Send

from squall.api.event.changes import LIVEACTION, Changes, Filter
from squall.api.event.listening import Missed, listened
from squall.api.http.routes import EVENTS, Route, bound
from squall.api.http.wire import LAST_EVENT_ID, Answer, Query, Request
from squall.api.output.following import LAG_SECONDS
from squall.api.output.forms.frames import OPENING, event_frame, id_alone, id_line, lag_comment
from squall.api.output.forms.stackstorm import joined_events, line_texts
from squall.api.output.streaming import send_events
from squall.api.output.tails import StreamSources, Tail, patterns_of
from squall.core.event import events
from squall.core.event.events import Event
from squall.core.output import journal
from squall.core.output.places import FeedMark, parse_feed, parse_tail
from squall.services.event.ring import Item


class EventRoutes:
    """The event stream."""

    def __init__(self, sources: StreamSources) -> None:
        self._sources = sources
        self._executions = sources.executions
        self._outputs = sources.outputs
        self._feeds = sources.feeds
        self._heartbeat = sources.heartbeat
        self._changes = Changes(sources)

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _stream(self, request: Request, send: Send) -> Answer | None:
        query = request.query
        end_id = query.text("end_execution_id")
        token = request.header(LAST_EVENT_ID) or query.text("last_event_id")
        if end_id:
            pieces = await self._tail(query, end_id, token)
        else:
            pieces = self._feed(query, parse_feed(token, LAST_EVENT_ID) if token else None)
        with self._outputs.reader() if end_id else nullcontext():
            await send_events(request, send, pieces)
        return None

    async def _tail(self, query: Query, end_id: str, token: str | None) -> AsyncGenerator[bytes, None]:
        top = await self._executions.get(await self._executions.resolve(end_id), False)
        resumed = parse_tail(token, LAST_EVENT_ID) if token else None
        if resumed is not None:
            await self._outputs.check(top.tree, resumed.place)
        patterns = patterns_of(query.listed("events"))
        return Tail(top, patterns, self._sources).pieces(resumed)

    async def _feed(self, query: Query, resumed: FeedMark | None) -> AsyncGenerator[bytes, None]:
        """Yields the bytes to send. The first is a newline: a client that received it misses no later event."""
        filter_ = Filter(
            patterns_of(query.listed("events")),
            frozenset(query.listed("action_refs") or ()),
            frozenset(query.listed("execution_ids") or ()),
        )
        with_output = filter_.selects(events.OUTPUT_CREATE)
        async with self._feeds.listen(with_output) as cursor:
            yield OPENING
            skip = resumed.sent if resumed is not None else 0
            last_sent = lag_sent = monotonic()
            turns = listened(
                self._feeds,
                self._outputs,
                cursor,
                resumed.row if resumed else None,
                self._heartbeat,
                filter_.selects_frequent,
            )
            async with aclosing(turns):
                async for turn in turns:
                    if isinstance(turn, Missed):
                        async for piece in self._missed(filter_, turn, skip, with_output or turn.live):
                            yield piece
                        skip = 0
                        continue
                    if data := b"".join([await self._item(filter_, item) for item in turn]):
                        last_sent = monotonic()
                        yield data
                        if last_sent - lag_sent >= LAG_SECONDS:
                            lag_sent = last_sent
                            yield lag_comment(*self._feeds.behind(cursor, self._sources.now()))
                    elif monotonic() - last_sent >= self._heartbeat:
                        last_sent = monotonic()
                        yield b""
            yield id_alone(FeedMark(cursor.row).token())

    async def _missed(self, filter_: Filter, missed: Missed, skip: int, gap: bool) -> AsyncIterator[bytes]:
        """Yields the events of all changes that a listener missed, then a gap event if output or older changes are
        lost.

        `skip` is the number of events of the first change that were sent before.
        """
        for event in missed.events:
            if frame := await self._change(filter_, event, skip):
                yield frame
            skip = 0
        if gap or missed.forgotten:
            reason = "older changes are not kept" if missed.forgotten else "output is live again from here"
            yield _id(FeedMark(missed.until)) + event_frame(events.GAP, {"reason": reason})

    async def _item(self, filter_: Filter, item: Item) -> bytes:
        if item.event is not None:
            return await self._change(filter_, item.event)
        if not filter_.selects(events.OUTPUT_CREATE):
            return b""
        labels = await self._outputs.labels({record.execution for record in item.records})
        mark = FeedMark(item.row).token().encode()
        parts = []
        for record in item.records:
            label = labels.get(record.execution)
            if record.kind == journal.OUTPUT and filter_.holds(record.execution, label.action if label else ""):
                parts.append(joined_events(record, line_texts(record), label, mark))
        return b"".join(parts)

    async def _change(self, filter_: Filter, event: Event, skip: int = 0) -> bytes:
        """Returns the events of one change: the liveaction's, with the id of half a change, then the execution's."""
        frames = await self._changes.frames(filter_, event)
        if len(frames) == 2:
            first = b"" if skip else _id(FeedMark(event.id - 1, 1)) + frames[0]
            return first + _id(FeedMark(event.id)) + frames[1]
        alone = bool(frames) and not (
            skip and filter_.selects(LIVEACTION.get(event.name, "")) and not filter_.selects(event.name)
        )
        return _id(FeedMark(event.id)) + frames[0] if alone else b""


def _id(mark: FeedMark) -> bytes:
    return id_line(mark.token())


_QUERY = ("events", "action_refs", "execution_ids", "end_execution_id", "end_event", "last_event_id")

ROUTES = (
    Route(
        "GET", "/stream", EventRoutes._stream, "Stream of events", None, _QUERY,
        types=(EVENTS,), area="stream", streams=True,
    ),
)  # fmt: skip
