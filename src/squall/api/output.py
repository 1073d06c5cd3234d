"""`GET …/executions/{id}/output`: what an execution printed, as text, bytes, JSON lines or events, live or later."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

from starlette.types import Send

from squall.api.application import Route
from squall.api.encoding import (
    FORMATS,
    NDJSON,
    RAW,
    SSE,
    SSE_RAW,
    TEXT,
    Encoded,
    EncodedCache,
    encode,
    leftovers,
)
from squall.api.sending import FanOut, Follower, Piece
from squall.api.wire import Answer, Request, start_message
from squall.core import journal
from squall.core.errors import InvalidError
from squall.core.execution import Execution
from squall.core.journal import Batch, Record
from squall.services.executions import Executions
from squall.services.outputs import Label, Outputs, is_end

END_OF_OUTPUT = b"event: EOF\ndata: ''\n\n"
HEARTBEAT = b":\n\n"
_TYPES = {
    TEXT: "text/plain; charset=UTF-8",
    RAW: "application/octet-stream",
    NDJSON: "application/x-ndjson",
    SSE: "text/event-stream; charset=UTF-8",
    SSE_RAW: "text/event-stream; charset=UTF-8",
}


class Asked(NamedTuple):
    """What one reader wants: streams as numbers (None: all), and whether descendants belong to it.

    `finished`: it has been told of the characters that were never finished already, behind the last position.
    """

    form: str
    streams: frozenset[int] | None
    tree: bool
    follow: bool
    after: int
    finished: bool


def stream_headers(content_type: str) -> dict[str, str]:
    """Headers that keep every proxy from holding pieces back."""
    return {"Content-Type": content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def until_disconnect(request: Request, send: Send, pump: Callable[[], Awaitable[None]]) -> None:
    """Runs `pump`, which sends one whole answer, to its end, or until the client has gone, or may no longer read."""
    void = False
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_swallow_cancel(pump()))

        async def listen() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            task.cancel()

        async def expire() -> None:
            nonlocal void
            await request.until_void()
            void = not task.done()
            task.cancel()

        watchers = [group.create_task(listen()), group.create_task(expire())]
        task.add_done_callback(lambda _: [watcher.cancel() for watcher in watchers])
    if void:
        # Every event has told its position, so the client can go on with another credential.
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b""})


async def _swallow_cancel(work: Awaitable[None]) -> None:
    """A client that has gone is no error."""
    with contextlib.suppress(OSError):
        await work


class OutputRoutes:
    """The output of executions. `heartbeat` is in seconds; only event streams have one."""

    def __init__(self, executions: Executions, outputs: Outputs, *, heartbeat: float) -> None:
        self._executions = executions
        self._outputs = outputs
        self._heartbeat = heartbeat
        self._cache = EncodedCache()
        self._fan_out = FanOut()

    def routes(self) -> list[Route]:
        """What it answers: text below the API, events below the stream."""
        return [
            Route("GET", "/executions/{id}/output", streamer=self._api),
            Route("GET", "/actionexecutions/{id}/output", streamer=self._api),
            Route("GET", "/executions/{id}/output", streamer=self._stream, area="stream"),
        ]

    async def _api(self, request: Request, send: Send) -> Answer | None:
        return await self._answer(request, send, TEXT)

    async def _stream(self, request: Request, send: Send) -> Answer | None:
        return await self._answer(request, send, SSE)

    async def _answer(self, request: Request, send: Send, default_form: str) -> Answer | None:
        asked = _asked(request, default_form)
        execution = await self._executions.get(await self._executions.resolve(request.path["id"]), False)
        await self._outputs.check(execution.tree, asked.after)

        source = _Reading(self._outputs, self._cache, execution, asked, self._heartbeat)
        follower = Follower(request.scope, send, asked.after)

        async def pump() -> None:
            await send(start_message(200, stream_headers(_TYPES[asked.form])))
            # The first piece goes at once, so that a client knows it is connected before anything is printed.
            await send({"type": "http.response.body", "body": b"\n" if asked.form == SSE else b"", "more_body": True})
            with self._outputs.reader():
                await (self._fan_out.follow if asked.follow else self._fan_out.read)(source, follower)
            await send({"type": "http.response.body", "body": await self._last(execution, asked, follower)})

        await until_disconnect(request, send, pump)
        return None

    async def _last(self, execution: Execution, asked: Asked, follower: Follower) -> bytes:
        """What stands behind everything that was printed."""
        events = asked.form in (SSE, SSE_RAW)
        if self._outputs.stopping:
            return b"id: %s\n\n" % journal.format_position(follower.position).encode() if events else b""
        if not asked.follow and not await self._outputs.settled(execution.id):
            return b""
        leads = follower.leads
        if asked.after and follower.end is not None:
            # What a reader who comes back has seen before its position may have ended inside a character.
            found = await self._outputs.unfinished(execution.tree, follower.end)
            leads.update({key: lead for key, lead in found.items() if asked.streams is None or key[1] in asked.streams})
        rest = b""
        if not asked.finished:
            labels = await self._outputs.labels({key[0] for key in leads})
            rest = leftovers(asked.form, leads, labels, follower.position)
        return rest + END_OF_OUTPUT if events else rest


class _Reading:
    """One output as it was asked for: the `sending.Source` of all who ask for the same."""

    def __init__(
        self, outputs: Outputs, cache: EncodedCache, execution: Execution, asked: Asked, heartbeat: float
    ) -> None:
        self._outputs = outputs
        self._cache = cache
        self._execution = execution
        self._asked = asked
        self._seconds = heartbeat
        whole = asked.tree and execution.parent is None
        self._members = _Members(outputs, execution, asked.tree and not whole)
        self._tree = whole or self._members.wanted
        self.key = (execution.id, whole, self._members.wanted, asked.streams, asked.form)
        self.heartbeat = HEARTBEAT if asked.form in (SSE, SSE_RAW) else b""

    async def pieces(self, after: int, *, wait: bool, until: int | None = None) -> AsyncGenerator[Piece | None, None]:
        """See `sending.Source`."""
        follow = self._outputs.follow(self._execution, self._tree, after, wait, self._seconds, until)
        async with aclosing(follow) as batches:
            async for batch in batches:
                if batch is None:
                    yield None
                    continue
                found = await self._encoded(after, batch)
                after = batch.position
                end = next((record for record in batch.records if is_end(record, self._execution.id)), None)
                yield Piece(found.data, after, found.leads, end)

    async def _encoded(self, position: int, batch: Batch) -> Encoded:
        key = (*self.key, position, batch.position)
        found = self._cache.get(key)
        if found is None:
            asked = self._asked
            records = [record for record in batch.records if _wanted(record, asked.streams)]
            if self._members.wanted:
                records = [record for record in records if await self._members.holds(record.execution)]
            labels: dict[str, Label] = {}
            if asked.form not in (TEXT, RAW):
                labels = await self._outputs.labels({record.execution for record in records})
            found = encode(asked.form, records, labels)
            self._cache.put(key, found)
        return found


class _Members:
    """Which executions belong to one that is not its tree's root; asked again whenever an unknown one turns up."""

    def __init__(self, outputs: Outputs, execution: Execution, wanted: bool) -> None:
        self._outputs = outputs
        self._known = {execution.id: True, execution.tree: execution.id == execution.tree}
        self.wanted = wanted

    async def holds(self, execution_id: str) -> bool:
        """Whether the execution is the one asked for, or below it."""
        line: list[str] = []
        at: str | None = execution_id
        while at is not None and at not in self._known:
            line.append(at)
            label = (await self._outputs.labels({at})).get(at)
            at = label.parent if label is not None else None
        verdict = self._known[at] if at is not None else False
        self._known.update(dict.fromkeys(line, verdict))
        return verdict


def _wanted(record: Record, streams: frozenset[int] | None) -> bool:
    if record.kind == journal.PROGRESS:
        return True
    if record.kind not in (journal.OUTPUT, journal.GAP):
        return False
    return streams is None or record.stream in streams


def streams_of(text: str | None) -> frozenset[int] | None:
    """The streams of `type=`: None is all of them; an unknown type has none, as recorded of StackStorm."""
    if text in (None, "all"):
        return None
    name = "output" if text == "other" else text
    number = journal.STREAM_NUMBERS.get(name or "")
    return frozenset({number}) if number is not None else frozenset()


def position_of(text: str, name: str) -> int:
    """The position in a token a client kept. Raises `InvalidError` that names where it was given."""
    try:
        return journal.parse_position(text)
    except ValueError as error:
        raise InvalidError(f"{name}: {error}; give one that this output's stream has sent.") from error


def _asked(request: Request, default_form: str) -> Asked:
    query = request.query
    form = query.text("format", default_form) or default_form
    if form not in FORMATS:
        raise InvalidError(f'format: "{form}" is none of {", ".join(FORMATS)}')
    if form == SSE and query.boolean("raw_data", False):
        form = SSE_RAW
    token, _, told = (request.header("last-event-id") or query.text("after") or "").partition("~")
    return Asked(
        form=form,
        streams=streams_of(query.text("type") or query.text("output_type")),
        tree=query.boolean("tree", True),
        follow=query.boolean("follow", True),
        after=position_of(token, "after") if token else 0,
        finished=told == "1",
    )
