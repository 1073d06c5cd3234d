"""`GET …/executions/{id}/output`: the output of an execution as text, bytes, JSON lines or events, live or later."""

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
    LineOptions,
    behind_line,
    limit_of,
    line_query,
    requests_lines,
)
from squall.api.output.ranges import Ranges
from squall.api.output.reading import EncodedCache, OutputOptions, OutputSource
from squall.api.output.selection import Selection, selection_filter, streams_of
from squall.api.output.sending import FanOut, Follower, Piece
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output.places import (
    BEGINNING,
    LineMark,
    OutputMark,
    Place,
    format_place,
    is_line,
    parse_lines,
    parse_output,
)
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
    """The output of executions. `heartbeat` is in seconds; only event streams have one. `now` returns µs since 1970."""

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
        outputs.add_cache(self._cache.clear)
        self._fan_out = FanOut()
        self._lines = LineAnswers(reading, outputs, heartbeat)
        self._ranges = Ranges(reading, outputs)

    def routes(self) -> list[Route]:
        """Returns the rows of the table, bound to this instance."""
        return bound(ROUTES, self)

    async def _api(self, request: Request, send: Send) -> Answer | None:
        return await self._answer(request, send, TEXT)

    async def _stream(self, request: Request, send: Send) -> Answer | None:
        return await self._answer(request, send, SSE)

    async def _answer(self, request: Request, send: Send, default_form: str) -> Answer | None:
        by_lines = requests_lines(request.query)
        options = _options(request, default_form, by_lines)
        execution = await self._executions.get(await self._executions.resolve(request.path["id"]), False)
        execution = await self._part(request.query, execution)
        await self._outputs.check(execution.tree, options.after)
        live = options.follow and not await self._outputs.settled(execution.id)
        if by_lines:
            return await self._answer_lines(request, send, execution, options, live)
        if (
            options.form == RAW
            and not options.packed
            and request.scope["method"] == "GET"
            and request.header("range")
            and not request.header("if-range")
            and options.after == BEGINNING
        ):
            # The server never sends a validator, so an `If-Range` condition is never true.
            selection = Selection(self._outputs, execution, options.filter)
            grows = not await self._outputs.settled(execution.id)
            if await self._ranges.answer(request, send, execution, selection, self._executions, options.streams, grows):
                return None
        if not live:
            options = options._replace(lag=None)
        encoding = None if live or options.form in (SSE, SSE_RAW) else options.packed or encoding_for(request)
        headers = self._headers(options, encoding, ranges=options.form == RAW and not live)
        follower = Follower(request.scope, compressed(send, encoding), options.after)

        async def pump() -> None:
            if encoding is None:
                # The first piece goes at once, so that a client knows that it is connected before any output comes.
                first = OPENING if options.form == SSE else b""
                await send({"type": "http.response.body", "body": first, "more_body": True})
            await self._send_all(execution, options, follower, live)

        await answer_stream(request, send, headers, pump)
        return None

    async def _part(self, query: Query, execution: Execution) -> Execution:
        """Returns the execution that `execution=` names: the one in the path, or one of its tree. Raises
        `InvalidError`."""
        part_id = query.text("execution")
        if part_id is None or part_id == execution.id:
            return execution
        part = await self._executions.get(part_id, False)
        if part.tree != execution.tree:
            raise InvalidError(f'execution: "{part_id}" does not belong to the tree of "{execution.id}"')
        return part

    @staticmethod
    def _headers(options: OutputOptions, encoding: str | None, *, ranges: bool = False) -> dict[str, str]:
        if options.packed:
            return stream_headers(_FILES[options.packed])
        headers = stream_headers(_TYPES[options.form])
        if options.form not in (SSE, SSE_RAW):
            headers["Vary"] = "Accept-Encoding"
        if encoding is not None:
            headers["Content-Encoding"] = encoding
        if ranges:
            headers["Accept-Ranges"] = "bytes"
        return headers

    async def _send_all(self, execution: Execution, options: OutputOptions, follower: Follower, live: bool) -> None:
        """Sends everything after the follower's position, then the end of the body."""
        source = OutputSource(self._outputs, self._cache, execution, options, self._heartbeat, self._now)
        with self._outputs.reader():
            await (self._fan_out.follow if live else self._fan_out.read)(source, follower)
        await follower.finish(await self._ending(execution, options, follower))

    async def _answer_lines(
        self, request: Request, send: Send, execution: Execution, options: OutputOptions, live: bool
    ) -> Answer | None:
        token, name, after = request.header(LAST_EVENT_ID), LAST_EVENT_ID, request.query.text("after") or ""
        if not token and is_line(after):
            token, name = after, "after"
        mark = parse_lines(token, name) if token else None
        selection = Selection(self._outputs, execution, options.filter)
        members = await selection.members(self._executions)
        query = line_query(request.query, execution, members, options.streams, self._now())
        if isinstance(mark, LineMark):
            query = behind_line(query, mark)
        await self._outputs.check(execution.tree, query.after)
        line_options = LineOptions(
            query, selection, live and not query.bounded, mark if isinstance(mark, OutputMark) else None,
            limit_of(request.query), isinstance(mark, LineMark), request.query.boolean("timestamps", False),
        )  # fmt: skip
        await self._lines.check(line_options)
        events = options.form in (SSE, SSE_RAW)
        encoding = None if line_options.follow or events else options.packed or encoding_for(request)
        follower = Follower(request.scope, compressed(send, encoding), BEGINNING)

        async def pump() -> None:
            if encoding is None:
                first = OPENING if events else b""
                await send({"type": "http.response.body", "body": first, "more_body": True})
            positions: list[Place] = []
            async with aclosing(self._lines.pieces(line_options, options.form, positions.append)) as pieces:
                async for piece in pieces:
                    await follower.send(Piece(piece, BEGINNING, {}, None))
            if positions:
                # After the lines the output itself continues from this position.
                follower.position = positions[-1]
                await self._send_all(execution, options._replace(after=BEGINNING), follower, True)
            else:
                await follower.finish(END_OF_OUTPUT if events and not self._outputs.stopping else b"")

        await answer_stream(request, send, self._headers(options, encoding), pump)
        return None

    async def _ending(self, execution: Execution, options: OutputOptions, follower: Follower) -> bytes:
        """Returns the bytes after the last output."""
        events = options.form in (SSE, SSE_RAW)
        if self._outputs.stopping:
            return id_alone(format_place(follower.position)) if events else b""
        if not options.follow and not await self._outputs.settled(execution.id):
            return b""
        leads = follower.leads
        if options.after != BEGINNING and follower.end is not None:
            # The output before the position at which a reader resumed may have ended inside a character.
            unfinished = await self._outputs.unfinished(execution.tree, follower.end)
            leads.update(
                {key: lead for key, lead in unfinished.items() if options.streams is None or key[1] in options.streams}
            )
        labels = await self._outputs.labels({key[0] for key in leads})
        # Whoever resumes there reads the end again, which tells what was not finished.
        place = follower.position if follower.end is None else follower.end.start
        rest = leftovers(options.form, leads, labels, place, options.finished)
        return rest + END_OF_OUTPUT if events else rest


def _options(request: Request, default_form: str, by_lines: bool) -> OutputOptions:
    query = request.query
    form = query.text("format", default_form) or default_form
    if form not in FORMATS:
        raise InvalidError(f'format: "{form}" is not one of {", ".join(FORMATS)}')
    if form == SSE and query.boolean("raw_data", False):
        form = SSE_RAW
    token = request.header(LAST_EVENT_ID) or query.text("after")
    mark = parse_output(token, "after") if token and not by_lines else OutputMark(BEGINNING)
    filter_ = selection_filter(query)
    if not query.has("tree") and (query.has("from_line") or query.has("to_line")):
        # Each execution has its own line numbers.
        filter_ = filter_._replace(tree=False)
    return OutputOptions(
        form=form,
        streams=streams_of(query.text("stream") or query.text("type") or query.text("output_type")),
        filter=filter_,
        lag=lag_policy(query),
        follow=query.boolean("follow", True),
        after=mark.place,
        finished=mark.seen or 0,
        packed=_packed(query, form),
        statuses=query.boolean("statuses", False),
    )


def _packed(query: Query, form: str) -> str | None:
    """Returns the requested compression of a file with the present output; None if the query has none. Raises
    `InvalidError`."""
    packed = query.text("compression")
    if packed is None:
        return None
    if packed not in _FILES:
        raise InvalidError(f'compression: "{packed}" is not one of {", ".join(_FILES)}')
    if form in (SSE, SSE_RAW) or query.boolean("follow", True):
        raise InvalidError(
            "compression: a file can hold only present output; add follow=false, and choose a format other than sse"
        )
    return packed


_QUERY = (
    "format", "after", "stream", "type", "output_type", "follow", "lag", "lag_mib", "lag_seconds", "tree", "task",
    "action", "depth", "execution", "from_line", "to_line", "tail", "since", "until", "grep", "fixed", "ignore_case",
    "context", "limit", "timestamps", "compression", "statuses",
)  # fmt: skip
_API = Route(
    "GET", "/executions/{id}/output", OutputRoutes._api, "Output of an execution: so far, then live", None, _QUERY,
    errors=(*READ, 410, 416), types=(_TYPES[TEXT], _TYPES[RAW], _TYPES[NDJSON], _TYPES[SSE]), streams=True,
)  # fmt: skip

ROUTES = (
    _API,
    _API._replace(path="/actionexecutions/{id}/output"),
    _API._replace(handler=OutputRoutes._stream, area="stream"),
)
