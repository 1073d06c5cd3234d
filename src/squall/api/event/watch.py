"""`GET /stream/v1/watch`: one connection for a page, with resource events and the output of up to eight trees.

Browsers allow six connections to a host, and a page in two tabs would need more. The `id:` of every event has the
positions of all parts, so a client that resumes with its last id gets exactly the events that it lacks.

A separate task reads each part, and all tasks write to the one connection in turn. While one writes, the others wait,
so memory has only the data that is being sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from starlette.types import Send

from squall.api.event.changes import Changes, Filter
from squall.api.event.listening import Missed, listened
from squall.api.http.bodies import answer_stream, stream_headers
from squall.api.http.routes import EVENTS, Route, bound
from squall.api.http.wire import LAST_EVENT_ID, Answer, Query, Request
from squall.api.output.following import Following, LagPolicy, lag_policy
from squall.api.output.forms.frames import OPENING, id_line, lag_comment
from squall.api.output.forms.page import Frames, end_frame, jump_frames, tree_frames
from squall.api.output.forms.records import Jump
from squall.api.output.tails import StreamSources, patterns_of
from squall.core.errors import InvalidError
from squall.core.event.events import Event
from squall.core.execution.execution import Execution
from squall.core.ids import is_id
from squall.core.output.journal import Batch
from squall.core.output.places import BEGINNING, PageMark, Place, format_place, parse_page, parse_place
from squall.services.event.ring import Cursor
from squall.services.output.outputs import Outputs

MOST_TREES = 8
"""The maximum number of trees on one connection."""

_HEADS_SOON = 0.03
_HEADS_LATER = 0.1
_CHATTY = 64 << 10


class WatchRoutes:
    """The route of the stream of a page."""

    def __init__(self, sources: StreamSources) -> None:
        self._sources = sources
        self._executions = sources.executions
        self._outputs = sources.outputs

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _watch(self, request: Request, send: Send) -> Answer | None:
        query = request.query
        token = request.header(LAST_EVENT_ID) or query.text("last_event_id")
        resumed = parse_page(token, LAST_EVENT_ID) if token else None
        trees = await self._trees(query, resumed)
        heads = query.text("output", "full")
        if heads not in ("full", "heads"):
            raise InvalidError(f'output: "{heads}" is not one of full, heads')
        page = _Page(self._sources, send, lag_policy(query), heads == "heads", Filter(_patterns(query)))

        async def pump() -> None:
            await page.run(trees, resumed)

        await answer_stream(request, send, stream_headers(EVENTS), pump)
        return None

    async def _trees(self, query: Query, resumed: PageMark | None) -> list[tuple[Execution, Place]]:
        """Returns the root of each requested tree and its start position. Raises `InvalidError` and
        `NotFoundError`."""
        trees: list[tuple[Execution, Place]] = []
        requested = query.every("tree")
        if len(requested) > MOST_TREES:
            raise InvalidError(
                f"tree: one connection follows at most {MOST_TREES} trees, not {len(requested)}. Request fewer."
            )
        for text in requested:
            name, _, token = text.partition("@")
            if name != "last" and not is_id(name):
                raise InvalidError(f"tree: {name!r} is not the id of an execution")
            execution = await self._executions.get(await self._executions.resolve(name), False)
            if any(each.tree == execution.tree for each, _ in trees):
                raise InvalidError(f"tree: the request has {execution.tree} twice")
            position = parse_place(token, "tree") if token else BEGINNING
            if resumed is not None:
                position = resumed.trees.get(execution.tree, position)
            if not await self._outputs.holds(execution.tree, position):
                raise InvalidError(f'tree: "{format_place(position)}" is not a position in tree {execution.tree}')
            root = execution if execution.parent is None else await self._executions.get(execution.tree, False)
            trees.append((root, position))
        return trees


def _patterns(query: Query) -> tuple[str, ...]:
    """Returns the patterns of requested events; none if the query has no `events`."""
    names = query.listed("events")
    return patterns_of(names) if names else ()


class _Page:
    """The connection of one page."""

    def __init__(self, sources: StreamSources, send: Send, lag: LagPolicy | None, heads: bool, filter_: Filter) -> None:
        self._outputs = sources.outputs
        self._feeds = sources.feeds
        self._changes = Changes(sources)
        self._now = sources.now
        self._heartbeat = sources.heartbeat
        self._send = send
        self._lag = lag
        self._heads = heads
        self._filter = filter_
        self._writing = asyncio.Lock()
        self._row = 0
        self._trees: dict[str, Place] = {}
        self._record_times: dict[str, int] = {}

    async def run(self, trees: Sequence[tuple[Execution, Place]], resumed: PageMark | None) -> None:
        """Sends until the server stops, or all requested parts have ended."""
        async with self._feeds.listen(False) as cursor:
            row = resumed.row if resumed is not None else cursor.row
            self._row, self._trees = row, {root.tree: position for root, position in trees}
            # The client gets the first event at once. Its id has the start positions.
            await self._write(OPENING + self._id() + b"event: open\ndata: {}\n\n")
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(self._beat())
                parts = [group.create_task(self._tree(root, position)) for root, position in trees]
                if self._filter.patterns:
                    parts.append(group.create_task(self._events(cursor, row)))
                if parts:
                    await asyncio.wait(parts)
                heartbeat.cancel()
        await self._send({"type": "http.response.body", "body": self._id() + b"\n"})

    def _id(self) -> bytes:
        """Returns the `id:` line with the positions after the last data that was sent."""
        return id_line(PageMark(self._row, self._trees).token())

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _beat(self) -> None:
        """Sends a comment with the lag every 5 seconds, or every heartbeat if that is shorter."""
        while not self._outputs.stopping:
            await asyncio.sleep(min(self._heartbeat, 5.0))
            remaining = {tree: self._outputs.left(tree, place) for tree, place in self._trees.items()}
            oldest = min((time for tree, time in self._record_times.items() if remaining[tree]), default=self._now())
            async with self._writing:
                await self._write(lag_comment(max(0, self._now() - oldest) // 1000, sum(remaining.values())))

    # -- resource events

    async def _events(self, cursor: Cursor, row: int) -> None:
        turns = listened(self._feeds, self._outputs, cursor, row, self._heartbeat, self._filter.selects_frequent)
        async with aclosing(turns):
            async for turn in turns:
                if isinstance(turn, Missed) and turn.forgotten and not turn.live:
                    gap = b'event: gap\ndata: {"reason":"older changes are not kept"}\n\n'
                    async with self._writing:
                        await self._write(self._id() + gap)
                events = turn.events if isinstance(turn, Missed) else [item.event for item in turn]
                for event in events:
                    if event is not None:
                        await self._event(event)

    async def _event(self, event: Event) -> None:
        frames = await self._changes.frames(self._filter, event)
        async with self._writing:
            self._row = event.id
            if frames:
                *first, last = frames
                # Events of one change are sent together; only the last of them has the id.
                await self._write(b"".join(first) + self._id() + last)

    # -- trees

    async def _tree(self, root: Execution, place: Place) -> None:
        following = Following(
            self._outputs,
            root,
            whole=True,
            policy=None if self._heads else self._lag,
            heartbeat=self._heartbeat,
            now=self._now,
        )
        parts = following.parts(_TreeForm(root, self._outputs, self._heads), place)
        async with aclosing(parts):
            async for part in parts:
                if part is None:
                    continue
                await self._send_frames(root.tree, part)
                if self._heads:
                    chatty = self._outputs.distance(place, part.place) > _CHATTY
                    await asyncio.sleep(_HEADS_LATER if chatty else _HEADS_SOON)
                place = part.place
        if not self._outputs.stopping:
            async with self._writing:
                await self._write(self._id() + end_frame(root.tree))

    async def _send_frames(self, tree: str, part: Frames) -> None:
        """Sends events of a tree, each with the id of the position after it."""
        async with self._writing:
            parts = []
            for place, event in part.events:
                self._trees[tree] = place
                parts.append(self._id() + event)
            self._trees[tree] = part.place
            if part.time:
                self._record_times[tree] = part.time
            if parts:
                await self._write(b"".join(parts))


class _TreeForm:
    """The `following.Form` of one tree of a page."""

    def __init__(self, root: Execution, outputs: Outputs, heads: bool) -> None:
        self._root = root
        self._outputs = outputs
        self._heads = heads

    async def encode(self, after: Place, batch: Batch) -> Frames:
        """See `following.Form`."""
        labels = await self._outputs.labels({record.execution for record in batch.records})
        return tree_frames(self._root.tree, batch, labels, heads=self._heads)

    def jumped(self, jump: Jump) -> Frames:
        """See `following.Form`."""
        return jump_frames(self._root.tree, self._root.id, jump)

    def lagging(self, last: Frames, ms: int, lag_bytes: int) -> Frames | None:
        """See `following.Form`. Always None: `_beat` tells a page the lag of all its trees together."""
        return None


_QUERY = ("events", "tree", "output", "lag", "lag_mib", "lag_seconds", "last_event_id")

ROUTES = (
    Route(
        "GET", "/watch", WatchRoutes._watch, "Stream of events and of the output of up to eight trees", None, _QUERY,
        types=(EVENTS,), area="stream", streams=True,
    ),
)  # fmt: skip
