"""`GET /stream`: StackStorm's event stream, with ids and resuming; and its form that tails one execution."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, nullcontext
from time import monotonic
from typing import NamedTuple

from starlette.types import Send

from squall.api.event.listening import Missed, listened
from squall.api.execution.views import Views
from squall.api.http.routes import EVENTS, Route, bound
from squall.api.http.wire import LAST_EVENT_ID, Answer, Query, Request
from squall.api.output.following import TELL_SECONDS
from squall.api.output.forms.frames import OPENING, event_frame, id_alone, id_line, lag_comment
from squall.api.output.forms.stackstorm import joined_events, line_texts
from squall.api.output.streaming import send_events
from squall.api.output.tails import Tail, patterns_of
from squall.core.errors import NotFoundError
from squall.core.event import events
from squall.core.event.events import Event
from squall.core.execution.execution import FINAL, as_of
from squall.core.output import journal
from squall.core.output.places import FeedMark, parse_feed, parse_tail
from squall.services.event.feeds import Feeds
from squall.services.event.ring import Item
from squall.services.execution.executions import Executions
from squall.services.output.outputs import Outputs

_LIVEACTION = {
    events.EXECUTION_CREATE: events.LIVEACTION_CREATE,
    events.EXECUTION_UPDATE: events.LIVEACTION_UPDATE,
}


class Filter(NamedTuple):
    """What a listener wants; empty sets ask for everything."""

    patterns: tuple[str, ...]
    actions: frozenset[str]
    executions: frozenset[str]

    def wants(self, name: str) -> bool:
        """Whether events of this name are asked for."""
        return events.matches(name, self.patterns)

    def holds(self, execution_id: str, action: str) -> bool:
        """Whether the execution is one of those asked for."""
        if self.executions and execution_id not in self.executions:
            return False
        return not self.actions or action in self.actions


class EventRoutes:
    """The event stream. `now` gives µs; `heartbeat` is in seconds."""

    def __init__(
        self,
        executions: Executions,
        outputs: Outputs,
        feeds: Feeds,
        views: Views,
        now: Callable[[], int],
        *,
        heartbeat: float,
    ) -> None:
        self._executions = executions
        self._outputs = outputs
        self._feeds = feeds
        self._views = views
        self._now = now
        self._heartbeat = heartbeat

    def routes(self) -> list[Route]:
        """The rows of the table, bound to this instance."""
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
        tail = Tail(top, patterns, self._executions, self._outputs, self._feeds, self._views, self._now)
        return tail.pieces(resumed, self._heartbeat)

    async def _feed(self, query: Query, resumed: FeedMark | None) -> AsyncGenerator[bytes, None]:
        """The bytes to send. The first is a newline: who has seen it misses nothing from then on."""
        wanted = Filter(
            patterns_of(query.listed("events")),
            frozenset(query.listed("action_refs") or ()),
            frozenset(query.listed("execution_ids") or ()),
        )
        with_output = wanted.wants(events.OUTPUT_CREATE)
        async with self._feeds.listen(with_output) as cursor:
            yield OPENING
            skip = resumed.sent if resumed is not None else 0
            last = told = monotonic()
            heard = listened(self._feeds, self._outputs, cursor, resumed.row if resumed else None, self._heartbeat)
            async with aclosing(heard) as turns:
                async for turn in turns:
                    if isinstance(turn, Missed):
                        async for piece in self._missed(wanted, turn, skip, with_output or turn.live):
                            yield piece
                        skip = 0
                        continue
                    if data := b"".join([await self._item(wanted, item) for item in turn]):
                        last = monotonic()
                        yield data
                        if last - told >= TELL_SECONDS:
                            told = last
                            yield lag_comment(*self._feeds.behind(cursor, self._now()))
                    elif monotonic() - last >= self._heartbeat:
                        last = monotonic()
                        yield b""
            yield id_alone(FeedMark(cursor.row).token())

    async def _missed(self, wanted: Filter, missed: Missed, skip: int, gap: bool) -> AsyncIterator[bytes]:
        """The changes that a listener has missed, exactly, and a gap event where output or forgotten changes are.

        `skip` is how many events of the first change have been sent already.
        """
        for event in missed.events:
            if frame := await self._change(wanted, event, skip):
                yield frame
            skip = 0
        if gap or missed.forgotten:
            reason = "older changes are not kept" if missed.forgotten else "output is live again from here"
            yield _id(FeedMark(missed.until)) + event_frame(events.GAP, {"reason": reason})

    async def _item(self, wanted: Filter, item: Item) -> bytes:
        if item.event is not None:
            return await self._change(wanted, item.event)
        if not wanted.wants(events.OUTPUT_CREATE):
            return b""
        labels = await self._outputs.labels({record.execution for record in item.records})
        mark = FeedMark(item.row).token().encode()
        parts = []
        for record in item.records:
            label = labels.get(record.execution)
            if record.kind == journal.OUTPUT and wanted.holds(record.execution, label.action if label else ""):
                parts.append(joined_events(record, line_texts(record), label, mark))
        return b"".join(parts)

    async def _change(self, wanted: Filter, event: Event, skip: int = 0) -> bytes:
        """The events of one change: the liveaction's, with the id of half a change, then the execution's."""
        frames = await change_frames(self._executions, self._views, wanted, event)
        if len(frames) == 2:
            first = b"" if skip else _id(FeedMark(event.id - 1, 1)) + frames[0]
            return first + _id(FeedMark(event.id)) + frames[1]
        alone = bool(frames) and not (
            skip and wanted.wants(_LIVEACTION.get(event.name, "")) and not wanted.wants(event.name)
        )
        return _id(FeedMark(event.id)) + frames[0] if alone else b""


async def change_frames(executions: Executions, views: Views, wanted: Filter, event: Event) -> list[bytes]:
    """The events of one change, without ids: the liveaction's and the execution's, as far as they are wanted."""
    liveaction = _LIVEACTION.get(event.name, "")
    if not wanted.wants(event.name) and not wanted.wants(liveaction):
        return []
    try:
        execution = await executions.get(event.execution, event.status in FINAL)
    except NotFoundError:
        return []
    if event.name.startswith(events.ANNOUNCEMENT):
        # It is for everybody, so no filter on executions holds it back.
        result = await views.result(execution, execution.result)
        told = result.get("output") if isinstance(result, dict) else None
        return [event_frame(event.name, {"payload": told, "trace_context": execution.context.get("trace_context")})]
    if not wanted.holds(execution.id, execution.action):
        return []
    then = as_of(execution, event.status)
    frames = []
    # Liveaction events carry no execution's id, so a filter on executions drops them, as StackStorm's does.
    if wanted.wants(liveaction) and not wanted.executions:
        frames.append(event_frame(liveaction, views.liveaction(then)))
    if wanted.wants(event.name):
        frames.append(event_frame(event.name, await views.execution(then)))
    return frames


def _id(mark: FeedMark) -> bytes:
    return id_line(mark.token())


_QUERY = ("events", "action_refs", "execution_ids", "end_execution_id", "end_event", "last_event_id")

ROUTES = (
    Route(
        "GET", "/stream", EventRoutes._stream, "Events as they happen", None, _QUERY,
        types=(EVENTS,), area="stream", streams=True,
    ),
)  # fmt: skip
