"""Answers that select lines: `…/output` with `from_line`, `to_line`, `tail`, `since`, `until` or `grep`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from squall.api.http.wire import Query
from squall.api.output.forms.frames import BEAT, id_alone
from squall.api.output.forms.records import NDJSON, SSE, SSE_RAW, encode
from squall.api.output.forms.rows import encode_rows, framed_row
from squall.api.output.selection import Selection
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output.journal import NO_STREAM, loss_record
from squall.core.output.line_query import Search
from squall.core.output.places import BEGINNING, LineMark, OutputMark, Place, is_line, parse_place
from squall.core.timespan import moment
from squall.services.output.labels import Label
from squall.services.output.line_history import MOST_MERGED, LineQuery, Reached, Row
from squall.services.output.line_reading import LineReading
from squall.services.output.losses import ended_at
from squall.services.output.outputs import Outputs

_NAMES = ("from_line", "to_line", "tail", "since", "until", "grep", "limit", "timestamps")
_MOST = 1 << 53
_MOST_LIMIT = 100_000
_UNLIMITED = 1 << 62
_MOST_CONTEXT = 1_000
_FAR = 1 << 20


class LineOptions(NamedTuple):
    """The options of a request for lines. `follow`: the reader also requests later lines. `resume` is the position at
    which the reader resumes, `limit` the maximum number of lines. `returned`: the reader has received lines before.
    `timestamps`: the time at which it began stands before each line of text."""

    query: LineQuery
    selection: Selection
    follow: bool
    resume: OutputMark | None
    limit: int = _UNLIMITED
    returned: bool = False
    timestamps: bool = False


def behind_line(query: LineQuery, mark: LineMark) -> LineQuery:
    """Returns the query of a reader that has received everything up to a line."""
    return msgspec.structs.replace(query, first=mark.number + 1, tail=None)


def limit_of(query: Query) -> int:
    """Returns the maximum number of lines. Raises `InvalidError`."""
    return _number(query, "limit", 1, _MOST_LIMIT) or _UNLIMITED


def requests_lines(query: Query) -> bool:
    """Returns True if the query has a parameter that selects lines."""
    return any(query.has(name) for name in _NAMES) or is_line(query.text("after") or "")


def line_query(
    query: Query, execution: Execution, members: tuple[str, ...] | None, streams: Collection[int] | None, now: int
) -> LineQuery:
    """Returns the query for lines of these executions; `now` is in µs. The caller applies an `after` that is the
    position of a line (`behind_line`). Raises `InvalidError` that names the parameter."""
    since, until, after = query.text("since"), query.text("until"), query.text("after")
    return LineQuery(
        execution=execution,
        members=members,
        first=_number(query, "from_line", 1, _MOST),
        last=_number(query, "to_line", 0, _MOST),
        tail=_number(query, "tail", 0, MOST_MERGED),
        after=BEGINNING if after is None or is_line(after) else parse_place(after, "after"),
        since=moment(since, "since", now) if since else None,
        until=moment(until, "until", now) if until else None,
        search=search_of(query, "grep"),
        context=_number(query, "context", 0, _MOST_CONTEXT) or 0,
        streams=None if streams is None else tuple(sorted(streams)),
    )


def search_of(query: Query, name: str) -> Search | None:
    """Returns the search in a parameter, with `fixed` and `ignore_case`; None without the parameter. Raises
    `InvalidError`."""
    pattern = query.text(name)
    if pattern is None:
        if query.has(name):
            raise InvalidError(f"{name}: the expression is empty; leave {name} out to get all lines")
        return None
    return Search(pattern=pattern, fixed=query.boolean("fixed", False), ignore_case=query.boolean("ignore_case", False))


def _number(query: Query, name: str, least: int, most: int) -> int | None:
    value = query.integer(name)
    if value is not None and not least <= value <= most:
        raise InvalidError(f"{name}: {value} is not between {least} and {most}")
    return value


class LineAnswers:
    """The encoder of answers that select lines. `heartbeat` is in seconds."""

    def __init__(self, reading: LineReading, outputs: Outputs, heartbeat: float) -> None:
        self._reading = reading
        self._outputs = outputs
        self._heartbeat = heartbeat

    async def check(self, options: LineOptions) -> None:
        """Raises `InvalidError` for an invalid query, and for lines beyond the end of a finished output."""
        query = options.query
        self._reading.check(query)
        if (
            not options.follow
            and query.first is not None
            and query.first > 1
            and query.members
            and not options.returned
        ):
            sums = await self._reading.sums(query.execution, query.members)
            total = sums[query.members[0]].lines if query.members[0] in sums else 0
            if query.first > total:
                raise InvalidError(f"from_line: {query.first} is beyond the end; the output has {total} lines")

    async def pieces(
        self, options: LineOptions, form: str, reached: Callable[[Place], None]
    ) -> AsyncGenerator[bytes, None]:
        """Yields the lines, then later lines if the form has lines. With `follow` in a form that has none, calls
        `reached` with the position from which the caller must follow the output itself."""
        query = options.query
        can_skip_counting = options.follow and options.resume is None and not options.timestamps
        if query.tail is not None and can_skip_counting and (rows := await self._uncounted(options)):
            yield encode_rows(form, rows[0], await self._labels(options, rows[0]))
            reached(rows[1])
            return
        remaining = options.limit
        has_lines = (
            form in (NDJSON, SSE, SSE_RAW) or query.search is not None or remaining < _UNLIMITED or options.timestamps
        )
        follows_lines = options.follow and has_lines
        states, position = (
            await self._reading.states(query, options.resume.place if options.resume else None)
            if follows_lines
            else ({}, BEGINNING)
        )
        open_lines = {(each, line.number) for each, state in states.items() for line in state.begun}
        if options.resume is None:
            async for page in self._reading.history(query, states if follows_lines else None):
                if isinstance(page, Reached):
                    if options.follow and not follows_lines:
                        reached(page.position)
                    continue
                if follows_lines:
                    # The follower below sends lines that are open at that position, and all later lines.
                    page = [
                        row for row in page
                        if (row.execution, row.line.number) not in open_lines
                        and row.execution in states
                        and row.line.number <= states[row.execution].lines
                    ]  # fmt: skip
                page = page[:remaining]
                remaining -= len(page)
                numbered = query.members is not None and len(query.members) == 1
                labels = await self._labels(options, page)
                yield encode_rows(form, page, labels, numbered=numbered, timestamps=options.timestamps)
                if not remaining:
                    return
            if has_lines or not options.follow:
                yield await self._losses(options, form)
        if follows_lines:
            if form in (SSE, SSE_RAW):
                # A client that resumes with this id has received everything before it.
                yield id_alone(OutputMark(position, options.resume.seen or 0 if options.resume else 0).token())
            async for piece in self._following(options._replace(limit=remaining), form, states, position):
                yield piece

    async def _losses(self, options: LineOptions, form: str) -> bytes:
        """Returns the gaps for what the journal does not hold any more of an ended output."""
        execution = options.query.execution
        lost = await self._reading.lost(execution, options.query.members != (execution.id,))
        end = self._outputs.head(execution.tree)
        records = [loss_record(loss.execution, loss.stream, loss.missing, end, ended_at(execution)) for loss in lost]
        streams = options.query.streams
        return encode(
            form,
            [
                record
                for record in records
                if (streams is None or record.stream in (NO_STREAM, *streams))
                and (record.stream == NO_STREAM or await options.selection.holds(record.execution))
            ],
            {},
        ).data

    async def _uncounted(self, options: LineOptions) -> tuple[Sequence[Row], Place] | None:
        """Returns the last lines without numbers and their end position, if counting the lines would take long; else
        None."""
        query = options.query
        if query.search or query.since or query.first or not query.tail:
            return None
        rows: Sequence[Row] = []
        async for page in self._reading.history(query):
            if isinstance(page, Reached):
                return (rows, page.position) if rows and not rows[0].line.number else None
            rows = page
        return None

    async def _following(
        self, options: LineOptions, form: str, states: Mapping[str, Any], position: Place
    ) -> AsyncIterator[bytes]:
        skip = options.resume.seen or 0 if options.resume else 0
        sent, remaining = 0, options.limit
        mark = position
        async for update in self._reading.follow(
            options.query, dict(states), options.selection.holds, position, self._heartbeat
        ):
            if update is None:
                yield BEAT if form in (SSE, SSE_RAW) else b""
                continue
            rows, end = update
            rows, skip = rows[skip:][:remaining], max(0, skip - len(rows))
            remaining -= len(rows)
            if form in (SSE, SSE_RAW):
                labels = await self._labels(options, rows)
                parts = []
                for row in rows:
                    sent += 1
                    parts.append(framed_row(form, row, labels, OutputMark(mark, sent).token()))
                yield b"".join(parts)
            else:
                yield encode_rows(form, rows, await self._labels(options, rows), timestamps=options.timestamps)
            if not remaining:
                return
            if not rows and end == mark:
                continue
            mark, sent = (end, 0) if rows or self._outputs.distance(mark, end) > _FAR else (mark, sent)

    async def _labels(self, options: LineOptions, rows: Sequence[Row]) -> Mapping[str, Label]:
        return await options.selection.labels({row.execution for row in rows})
