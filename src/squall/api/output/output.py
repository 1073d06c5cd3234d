"""`GET …/executions/{id}/output`: what an execution printed, as text, bytes, JSON lines or events, live or later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from starlette.types import Send

from squall.api.http.bodies import answer_stream, compressed, encoding_for, stream_headers
from squall.api.http.routes import EVENTS, READ, Route, bound
from squall.api.http.wire import LAST_EVENT_ID, Answer, Query, Request
from squall.api.output.following import lag_policy
from squall.api.output.forms.frames import END_OF_OUTPUT, OPENING, id_alone
from squall.api.output.forms.records import FORMATS, NDJSON, RAW, SSE, SSE_RAW, TEXT, leftovers
from squall.api.output.output_lines import (
    LineAnswers,
    LineAsked,
    asks_for_lines,
    behind_line,
    limit_of,
    line_query,
)
from squall.api.output.ranges import Ranges
from squall.api.output.reading import Asked, EncodedCache, OutputSource
from squall.api.output.selection import Selection, streams_of, wanted_of
from squall.api.output.sending import FanOut, Follower, Piece
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output.places import BEGINNING, LineMark, OutputMark, Place, format_place, parse_lines, parse_output
from squall.services.execution.executions import Executions
from squall.services.output.line_reading import LineReading
from squall.services.output.outputs import Outputs

_TYPES = {
    TEXT: "text/plain; charset=UTF-8",
    RAW: "application/octet-stream",
    NDJSON: "application/x-ndjson",
    SSE: EVENTS,
    SSE_RAW: EVENTS,
}
_FILES = {"gzip": "application/gzip", "zstd": "application/zstd"}


class OutputRoutes:
    """The output of executions. `heartbeat` is in seconds; only event streams have one. `now` gives µs since 1970."""

    def __init__(
        self,
        executions: Executions,
        outputs: Outputs,
        reading: LineReading,
        now: Callable[[], int],
        *,
        heartbeat: float,
    ) -> None:
        self._executions = executions
        self._outputs = outputs
        self._now = now
        self._heartbeat = heartbeat
        self._cache = EncodedCache()
        self._fan_out = FanOut()
        self._lines = LineAnswers(reading, outputs, heartbeat)
        self._ranges = Ranges(reading, outputs)

    def routes(self) -> list[Route]:
        """The rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _api(self, request: Request, send: Send) -> Answer | None:
        return await self._answer(request, send, TEXT)

    async def _stream(self, request: Request, send: Send) -> Answer | None:
        return await self._answer(request, send, SSE)

    async def _answer(self, request: Request, send: Send, default_form: str) -> Answer | None:
        by_lines = asks_for_lines(request.query)
        asked = _asked(request, default_form, by_lines)
        execution = await self._executions.get(await self._executions.resolve(request.path["id"]), False)
        execution = await self._part(request.query, execution)
        await self._outputs.check(execution.tree, asked.after)
        live = asked.follow and not await self._outputs.settled(execution.id)
        if by_lines:
            return await self._answer_lines(request, send, execution, asked, live)
        if (
            asked.form == RAW
            and not asked.packed
            and request.scope["method"] == "GET"
            and request.header("range")
            and not request.header("if-range")
            and asked.after == BEGINNING
        ):
            # No validator is ever sent, so a condition on one is never true.
            selection = Selection(self._outputs, execution, asked.wanted)
            grows = not await self._outputs.settled(execution.id)
            if await self._ranges.answer(request, send, execution, selection, self._executions, asked.streams, grows):
                return None
        if not live:
            asked = asked._replace(lag=None)
        encoding = None if live or asked.form in (SSE, SSE_RAW) else asked.packed or encoding_for(request)
        headers = self._headers(asked, encoding, ranges=asked.form == RAW and not live)
        follower = Follower(request.scope, compressed(send, encoding), asked.after)

        async def pump() -> None:
            if encoding is None:
                # The first piece goes at once, so that a client knows it is connected before anything is printed.
                first = OPENING if asked.form == SSE else b""
                await send({"type": "http.response.body", "body": first, "more_body": True})
            await self._all(execution, asked, follower, live)

        await answer_stream(request, send, headers, pump)
        return None

    async def _part(self, query: Query, execution: Execution) -> Execution:
        """The execution that `execution=` names: the one of the path, or one of its tree. Raises `InvalidError`."""
        named = query.text("execution")
        if named is None or named == execution.id:
            return execution
        found = await self._executions.get(named, False)
        if found.tree != execution.tree:
            raise InvalidError(f'execution: "{named}" does not belong to the tree of "{execution.id}"')
        return found

    @staticmethod
    def _headers(asked: Asked, encoding: str | None, *, ranges: bool = False) -> dict[str, str]:
        if asked.packed:
            return stream_headers(_FILES[asked.packed])
        headers = stream_headers(_TYPES[asked.form])
        if asked.form not in (SSE, SSE_RAW):
            headers["Vary"] = "Accept-Encoding"
        if encoding is not None:
            headers["Content-Encoding"] = encoding
        if ranges:
            headers["Accept-Ranges"] = "bytes"
        return headers

    async def _all(self, execution: Execution, asked: Asked, follower: Follower, live: bool) -> None:
        """Sends everything behind the follower's position, and what stands at the end."""
        source = OutputSource(self._outputs, self._cache, execution, asked, self._heartbeat, self._now)
        with self._outputs.reader():
            await (self._fan_out.follow if live else self._fan_out.read)(source, follower)
        await follower.finish(await self._last(execution, asked, follower))

    async def _answer_lines(
        self, request: Request, send: Send, execution: Execution, asked: Asked, live: bool
    ) -> Answer | None:
        token = request.header(LAST_EVENT_ID)
        mark = parse_lines(token, LAST_EVENT_ID) if token else None
        selection = Selection(self._outputs, execution, asked.wanted)
        members = await selection.members(self._executions)
        query = line_query(request.query, execution, members, asked.streams, self._now())
        if isinstance(mark, LineMark):
            query = behind_line(query, mark)
        await self._outputs.check(execution.tree, query.after)
        wanted = LineAsked(
            query, selection, live and not query.bounded, mark if isinstance(mark, OutputMark) else None,
            limit_of(request.query), isinstance(mark, LineMark), request.query.boolean("timestamps", False),
        )  # fmt: skip
        await self._lines.check(wanted)
        events = asked.form in (SSE, SSE_RAW)
        encoding = None if wanted.follow or events else asked.packed or encoding_for(request)
        follower = Follower(request.scope, compressed(send, encoding), BEGINNING)

        async def pump() -> None:
            if encoding is None:
                first = OPENING if events else b""
                await send({"type": "http.response.body", "body": first, "more_body": True})
            positions: list[Place] = []
            async with aclosing(self._lines.pieces(wanted, asked.form, positions.append)) as pieces:
                async for piece in pieces:
                    await follower.send(Piece(piece, BEGINNING, {}, None))
            if positions:
                # The lines end where the output goes on as it comes.
                follower.position = positions[-1]
                await self._all(execution, asked._replace(after=BEGINNING), follower, True)
            else:
                await follower.finish(END_OF_OUTPUT if events and not self._outputs.stopping else b"")

        await answer_stream(request, send, self._headers(asked, encoding), pump)
        return None

    async def _last(self, execution: Execution, asked: Asked, follower: Follower) -> bytes:
        """What stands behind everything that was printed."""
        events = asked.form in (SSE, SSE_RAW)
        if self._outputs.stopping:
            return id_alone(format_place(follower.position)) if events else b""
        if not asked.follow and not await self._outputs.settled(execution.id):
            return b""
        leads = follower.leads
        if asked.after != BEGINNING and follower.end is not None:
            # What a reader who comes back has seen before its position may have ended inside a character.
            found = await self._outputs.unfinished(execution.tree, follower.end)
            leads.update({key: lead for key, lead in found.items() if asked.streams is None or key[1] in asked.streams})
        rest = b""
        if not asked.finished:
            labels = await self._outputs.labels({key[0] for key in leads})
            rest = leftovers(asked.form, leads, labels, follower.position)
        return rest + END_OF_OUTPUT if events else rest


def _asked(request: Request, default_form: str, by_lines: bool) -> Asked:
    query = request.query
    form = query.text("format", default_form) or default_form
    if form not in FORMATS:
        raise InvalidError(f'format: "{form}" is none of {", ".join(FORMATS)}')
    if form == SSE and query.boolean("raw_data", False):
        form = SSE_RAW
    token = request.header(LAST_EVENT_ID) or query.text("after")
    mark = parse_output(token, "after") if token and not by_lines else OutputMark(BEGINNING)
    wanted = wanted_of(query)
    if not query.has("tree") and (query.has("from_line") or query.has("to_line")):
        # Lines are counted in each execution.
        wanted = wanted._replace(tree=False)
    return Asked(
        form=form,
        streams=streams_of(query.text("stream") or query.text("type") or query.text("output_type")),
        wanted=wanted,
        lag=lag_policy(query),
        follow=query.boolean("follow", True),
        after=mark.place,
        finished=mark.seen == 1,
        packed=_packed(query, form),
    )


def _packed(query: Query, form: str) -> str | None:
    """The form of the file that is asked for: what there is now, compressed. Raises `InvalidError`."""
    packed = query.text("compression")
    if packed is None:
        return None
    if packed not in _FILES:
        raise InvalidError(f'compression: "{packed}" is none of {", ".join(_FILES)}')
    if form in (SSE, SSE_RAW) or query.boolean("follow", True):
        raise InvalidError(
            "compression: only what is there now is given as a file; add follow=false, and ask for no events"
        )
    return packed


_QUERY = (
    "format", "after", "stream", "type", "output_type", "follow", "lag", "lag_mib", "lag_seconds", "tree", "task",
    "action", "depth", "execution", "from_line", "to_line", "tail", "since", "until", "grep", "fixed", "ignore_case",
    "context", "limit", "timestamps", "compression",
)  # fmt: skip
_API = Route(
    "GET", "/executions/{id}/output", OutputRoutes._api, "What it prints: so far, then live", None, _QUERY,
    errors=(*READ, 410, 416), types=(_TYPES[TEXT], _TYPES[RAW], _TYPES[NDJSON], _TYPES[SSE]), streams=True,
)  # fmt: skip

ROUTES = (
    _API,
    _API._replace(path="/actionexecutions/{id}/output"),
    _API._replace(handler=OutputRoutes._stream, area="stream"),
)
