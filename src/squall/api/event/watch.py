"""`GET /stream/v1/watch`: everything that one page follows, on one connection: resource events and up to eight trees.

Browsers allow six connections to a host, and a page that is open in two tabs would use them up. The `id:` of every
event holds the positions of all parts, so a client that comes back with the last one gets exactly what it has not seen.

Each part is read by a task of its own, and all of them write to the one connection in turn: while one writes the others
wait, so nothing is held in memory but what is being sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import orjson
from starlette.types import Send

from squall.api.event.events import Filter, change_frames
from squall.api.execution.views import Views
from squall.api.http.application import Route
from squall.api.http.wire import LAST_EVENT_ID, Answer, Query, Request, start_message
from squall.api.output.encoding import SSE, encode
from squall.api.output.lag import LagPolicy, lag_comment, lag_of, lag_policy, skipped
from squall.api.output.output import stream_headers, until_disconnect
from squall.api.output.tails import patterns_of
from squall.core.errors import InvalidError
from squall.core.event.events import Event
from squall.core.execution.execution import FINAL, Execution
from squall.core.ids import is_id
from squall.core.output import journal
from squall.core.output.journal import Batch, Record
from squall.core.output.places import BEGINNING, PageMark, Place, format_place, parse_page, parse_place
from squall.core.timestamp import to_iso
from squall.services.event.feeds import Feeds
from squall.services.execution.executions import Executions
from squall.services.output.outputs import Outputs, status_of

MOST_TREES = 8
"""How many trees one connection follows."""

_HEADS_SOON = 0.03
_HEADS_LATER = 0.1
_CHATTY = 64 << 10
_LAST_LINE = 200


class _Places:
    """The places of one connection, as far as it has been sent."""

    def __init__(self, row: int, trees: dict[str, Place]) -> None:
        self.row = row
        self.trees = trees

    def line(self) -> bytes:
        """The `id:` line."""
        return b"id: %s\n" % PageMark(self.row, self.trees).token().encode()


class WatchRoutes:
    """The stream of a page. `heartbeat` is in seconds, `now` gives µs since 1970."""

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
        """What it answers."""
        return [Route("GET", "/watch", streamer=self._watch, area="stream")]

    async def _watch(self, request: Request, send: Send) -> Answer | None:
        query = request.query
        token = request.header(LAST_EVENT_ID) or query.text("last_event_id")
        resumed = parse_page(token, LAST_EVENT_ID) if token else None
        trees = await self._trees(query, resumed)
        heads = query.text("output", "full")
        if heads not in ("full", "heads"):
            raise InvalidError(f'output: "{heads}" is none of full, heads')
        page = _Page(
            self, send, lag_policy(query), heads == "heads", Filter(_patterns(query), frozenset(), frozenset())
        )

        async def pump() -> None:
            await send(start_message(200, stream_headers("text/event-stream; charset=UTF-8")))
            await page.run(trees, resumed)

        await until_disconnect(request, send, pump)
        return None

    async def _trees(self, query: Query, resumed: PageMark | None) -> list[tuple[Execution, Place]]:
        """The trees that are asked for, and where each begins. Raises `InvalidError` and `NotFoundError`."""
        found: list[tuple[Execution, Place]] = []
        asked = query.every("tree")
        if len(asked) > MOST_TREES:
            raise InvalidError(f"tree: at most {MOST_TREES} trees can be followed on one connection, not {len(asked)}")
        for text in asked:
            name, _, token = text.partition("@")
            if name != "last" and not is_id(name):
                raise InvalidError(f"tree: {name!r} is no id of an execution")
            execution = await self._executions.get(await self._executions.resolve(name), False)
            if any(each.tree == execution.tree for each, _ in found):
                raise InvalidError(f"tree: {execution.tree} is given twice")
            position = parse_place(token, "tree") if token else BEGINNING
            if resumed is not None:
                position = resumed.trees.get(execution.tree, position)
            if not await self._outputs.holds(execution.tree, position):
                raise InvalidError(f'tree: "{format_place(position)}" is no position in {execution.tree}')
            root = execution if execution.parent is None else await self._executions.get(execution.tree, False)
            found.append((root, position))
        return found


def _patterns(query: Query) -> tuple[str, ...]:
    """The events that are asked for: none, unless `events` names some."""
    names = query.listed("events")
    return patterns_of(names) if names else ()


class _Page:
    """One connection."""

    def __init__(self, routes: WatchRoutes, send: Send, lag: LagPolicy | None, heads: bool, wanted: Filter) -> None:
        self._outputs = routes._outputs
        self._executions = routes._executions
        self._feeds = routes._feeds
        self._views = routes._views
        self._now = routes._now
        self._heartbeat = routes._heartbeat
        self._send = send
        self._lag = lag
        self._heads = heads
        self._wanted = wanted
        self._turn = asyncio.Lock()
        self._places = _Places(0, {})
        self._late: dict[str, int] = {}

    async def run(self, trees: Sequence[tuple[Execution, Place]], resumed: PageMark | None) -> None:
        """Sends until the server stops, or everything that was asked for has ended."""
        async with self._feeds.listen(False) as cursor:
            row = resumed.row if resumed is not None else cursor.row
            self._places = _Places(row, {root.tree: position for root, position in trees})
            # The first piece goes at once, with the places it begins at.
            await self._write(b"\n" + self._places.line() + b"event: open\ndata: {}\n\n")
            async with asyncio.TaskGroup() as group:
                beat = group.create_task(self._beat())
                parts = [group.create_task(self._tree(root, position)) for root, position in trees]
                if self._wanted.patterns:
                    parts.append(group.create_task(self._events(cursor, row)))
                if parts:
                    await asyncio.wait(parts)
                beat.cancel()
        await self._send({"type": "http.response.body", "body": self._places.line() + b"\n"})

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _beat(self) -> None:
        """A comment with the lag, whenever nothing else was sent for a while; at the least every heartbeat."""
        while not self._outputs.stopping:
            await asyncio.sleep(min(self._heartbeat, 5.0))
            left = {tree: self._outputs.left(tree, at) for tree, at in self._places.trees.items()}
            oldest = min((at for tree, at in self._late.items() if left[tree]), default=self._now())
            async with self._turn:
                await self._write(lag_comment(max(0, self._now() - oldest) // 1000, sum(left.values())))

    # -- resource events

    async def _events(self, cursor: Any, row: int) -> None:
        missed, forgotten = await self._feeds.events_between(row, cursor.row)
        if forgotten:
            gap = b'event: gap\ndata: {"reason":"older changes are not kept"}\n\n'
            async with self._turn:
                await self._write(self._places.line() + gap)
        for event in missed:
            await self._event(event)
        while not self._outputs.stopping:
            before = cursor.row
            items, lost = await cursor.next(self._heartbeat)
            if lost and items:
                missed, _ = await self._feeds.events_between(before, items[0].row - (items[0].event is not None))
                for event in missed:
                    await self._event(event)
            for item in items:
                if item.event is not None:
                    await self._event(item.event)
                cursor.row = item.row

    async def _event(self, event: Event) -> None:
        frames = await change_frames(self._executions, self._views, self._wanted, event)
        async with self._turn:
            self._places.row = event.id
            if frames:
                *first, last = frames
                # Events of one change are sent together; the id stands with the last of them.
                await self._write(b"".join(first) + self._places.line() + last)

    # -- trees

    async def _tree(self, root: Execution, position: Place) -> None:
        while True:
            jumped = False
            follow = self._outputs.follow(root, True, position, True, self._heartbeat)
            async with aclosing(follow) as batches:
                async for batch in batches:
                    if batch is None:
                        continue
                    ms, behind = lag_of(batch, self._outputs.left(root.tree, batch.position), self._now())
                    if self._lag is not None and not self._heads and self._lag.exceeded(ms, behind):
                        head = self._outputs.head(root.tree)
                        async with self._turn:
                            self._places.trees[root.tree] = head
                            size = self._outputs.distance(position, head)
                            ((_, frame),) = _named(root.tree, skipped(SSE, root.id, position, head, ms, size))
                            await self._write(self._places.line() + frame)
                        position, jumped = head, True
                        break
                    await self._batch(root, batch)
                    chatty = self._outputs.distance(position, batch.position) > _CHATTY
                    position = batch.position
                    if self._heads:
                        await asyncio.sleep(_HEADS_LATER if chatty else _HEADS_SOON)
            if not jumped:
                break
        if not self._outputs.stopping:
            async with self._turn:
                body = orjson.dumps({"tree": root.tree})
                await self._write(b"%sevent: end\ndata: %s\n\n" % (self._places.line(), body))

    async def _batch(self, root: Execution, batch: Batch) -> None:
        """Sends what a batch holds, each event with the id behind it."""
        labels = await self._outputs.labels({record.execution for record in batch.records})
        told = (journal.PROGRESS, journal.GAP) if self._heads else (journal.OUTPUT, journal.GAP, journal.PROGRESS)
        frames: list[tuple[Place, bytes]] = []
        run: list[Record] = []
        for record in batch.records:
            if record.kind in told:
                run.append(record)
            elif record.kind == journal.STATUS:
                frames += _named(root.tree, encode(SSE, run, labels).data)
                frames.append((record.end, _status(root.tree, record)))
                run = []
        frames += _named(root.tree, encode(SSE, run, labels).data)
        if self._heads:
            frames += _heads(root.tree, batch)
        async with self._turn:
            parts = []
            for position, frame in frames:
                self._places.trees[root.tree] = position
                parts.append(self._places.line() + frame)
            self._places.trees[root.tree] = batch.position
            if batch.records and batch.records[-1].time:
                self._late[root.tree] = batch.records[-1].time
            if parts:
                await self._write(b"".join(parts))


def _named(tree: str, data: bytes) -> list[tuple[Place, bytes]]:
    """Events without their `id:` lines, each with the position that was in it, and with the tree's id."""
    named = b'\ndata: {"tree":"%s",' % tree.encode()
    found = []
    for block in data.split(b"\n\n"):
        if block:
            line, _, frame = block.partition(b"\n")
            position = parse_place(line.removeprefix(b"id: ").decode(), "id")
            found.append((position, frame.replace(b"\ndata: {", named, 1) + b"\n\n"))
    return found


def _status(tree: str, record: Record) -> bytes:
    status = status_of(record)
    fields = {
        "tree": tree,
        "execution_id": record.execution,
        "status": status,
        "final": status in FINAL,
        "timestamp": to_iso(record.time),
        "position": format_place(record.end),
    }
    return b"event: status\ndata: %s\n\n" % orjson.dumps(fields)


def _heads(tree: str, batch: Batch) -> list[tuple[Place, bytes]]:
    """That executions have printed more, and what they printed last: for those who show no more than that."""
    last: dict[str, Record] = {r.execution: r for r in batch.records if r.kind == journal.OUTPUT and r.payload}
    if not last:
        return []
    heads = [
        {
            "execution_id": record.execution,
            "output_type": journal.STREAMS.get(record.stream, "output"),
            "timestamp": to_iso(record.time),
            "last_line": _last_line(bytes(record.payload)),
        }
        for record in last.values()
    ]
    body = msgspec.json.encode({"tree": tree, "position": format_place(batch.position), "heads": heads})
    return [(batch.position, b"event: output\ndata: %s\n\n" % body)]


def _last_line(payload: bytes) -> str:
    lines = payload[-4 * _LAST_LINE :].decode("utf-8", "replace").rstrip("\r\n").replace("\r", "\n").split("\n")
    return lines[-1][-_LAST_LINE:]
