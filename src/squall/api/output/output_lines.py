"""Outputs by their lines: `…/output` with `from_line`, `to_line`, `tail`, `since`, `until` or `grep`; its sums;
searching it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from squall.api.http.wire import Query
from squall.api.output.forms.frames import BEAT, id_alone
from squall.api.output.forms.records import NDJSON, SSE, SSE_RAW
from squall.api.output.forms.rows import encode_rows, framed_row
from squall.api.output.selection import Selection
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output.line_query import Search
from squall.core.output.places import BEGINNING, LineMark, OutputMark, Place, parse_place
from squall.core.timespan import moment
from squall.services.output.labels import Label
from squall.services.output.line_history import MOST_MERGED, LineQuery, Reached, Row
from squall.services.output.line_reading import LineReading
from squall.services.output.outputs import Outputs

_NAMES = ("from_line", "to_line", "tail", "since", "until", "grep", "limit", "timestamps")
_MOST = 1 << 53
_MOST_LIMIT = 100_000
_UNLIMITED = 1 << 62
_MOST_CONTEXT = 1_000
_FAR = 1 << 20


class LineAsked(NamedTuple):
    """A query for lines, and whether what follows is wanted too; `resume` is where a reader who comes back was, `limit`
    how many lines are sent at most; `returned`: the reader has seen lines before; `timestamps`: in front of each line
    of text stands when it began."""

    query: LineQuery
    selection: Selection
    follow: bool
    resume: OutputMark | None
    limit: int = _UNLIMITED
    returned: bool = False
    timestamps: bool = False


def behind_line(query: LineQuery, mark: LineMark) -> LineQuery:
    """The query of a reader who has seen everything up to a line."""
    return msgspec.structs.replace(query, first=mark.number + 1, tail=None)


def limit_of(query: Query) -> int:
    """How many lines are sent at most. Raises `InvalidError`."""
    return _number(query, "limit", 1, _MOST_LIMIT) or _UNLIMITED


def asks_for_lines(query: Query) -> bool:
    """Whether any of the parameters that choose lines is given."""
    return any(query.has(name) for name in _NAMES)


def line_query(
    query: Query, execution: Execution, members: tuple[str, ...] | None, streams: Collection[int] | None, now: int
) -> LineQuery:
    """What is asked of these executions; `now` is in µs. Raises `InvalidError` that names the parameter."""
    since, until, after = query.text("since"), query.text("until"), query.text("after")
    return LineQuery(
        execution=execution,
        members=members,
        first=_number(query, "from_line", 1, _MOST),
        last=_number(query, "to_line", 0, _MOST),
        tail=_number(query, "tail", 0, MOST_MERGED),
        after=BEGINNING if after is None else parse_place(after, "after"),
        since=moment(since, "since", now) if since else None,
        until=moment(until, "until", now) if until else None,
        search=search_of(query, "grep"),
        context=_number(query, "context", 0, _MOST_CONTEXT) or 0,
        streams=None if streams is None else tuple(sorted(streams)),
    )


def search_of(query: Query, name: str) -> Search | None:
    """The search that a parameter asks for, with `fixed` and `ignore_case`."""
    pattern = query.text(name)
    if pattern is None:
        if query.has(name):
            raise InvalidError(f"{name}: the expression is empty; leave it out to get all lines")
        return None
    return Search(pattern=pattern, fixed=query.boolean("fixed", False), ignore_case=query.boolean("ignore_case", False))


def _number(query: Query, name: str, least: int, most: int) -> int | None:
    value = query.integer(name)
    if value is not None and not least <= value <= most:
        raise InvalidError(f"{name}: {value} is not between {least} and {most}")
    return value


class LineAnswers:
    """The bytes of an answer about lines. `heartbeat` is in seconds."""

    def __init__(self, reading: LineReading, outputs: Outputs, heartbeat: float) -> None:
        self._reading = reading
        self._outputs = outputs
        self._heartbeat = heartbeat

    async def check(self, asked: LineAsked) -> None:
        """Raises `InvalidError` for what cannot be asked, and for lines beyond the end of what is finished."""
        query = asked.query
        self._reading.check(query)
        if not asked.follow and query.first is not None and query.first > 1 and query.members and not asked.returned:
            sums = await self._reading.sums(query.execution, query.members)
            total = sums[query.members[0]].lines if query.members[0] in sums else 0
            if query.first > total:
                raise InvalidError(f"from_line: {query.first} is beyond the end; there are {total} lines")

    async def pieces(
        self, asked: LineAsked, form: str, reached: Callable[[Place], None]
    ) -> AsyncGenerator[bytes, None]:
        """The lines, and what follows if it is wanted as lines. With `follow` in a form that has no lines, `reached` is
        told the position from which the output itself is to be followed."""
        query = asked.query
        raw = asked.follow and asked.resume is None and not asked.timestamps
        if query.tail is not None and raw and (rows := await self._uncounted(asked)):
            yield encode_rows(form, rows[0], await self._labels(asked, rows[0]))
            reached(rows[1])
            return
        left = asked.limit
        lines = form in (NDJSON, SSE, SSE_RAW) or query.search is not None or left < _UNLIMITED or asked.timestamps
        by_line = asked.follow and lines
        states, position = (
            await self._reading.states(query, asked.resume.place if asked.resume else None)
            if by_line
            else ({}, BEGINNING)
        )
        open_lines = {(each, line.number) for each, state in states.items() for line in state.begun}
        if asked.resume is None:
            async for page in self._reading.history(query, states if by_line else None):
                if isinstance(page, Reached):
                    if asked.follow and not by_line:
                        reached(page.position)
                    continue
                if by_line:
                    # What is open at that position, or comes behind it, is told by what follows.
                    page = [
                        row for row in page
                        if (row.execution, row.line.number) not in open_lines
                        and row.execution in states
                        and row.line.number <= states[row.execution].lines
                    ]  # fmt: skip
                page = page[:left]
                left -= len(page)
                numbered = query.members is not None and len(query.members) == 1
                labels = await self._labels(asked, page)
                yield encode_rows(form, page, labels, numbered=numbered, timestamps=asked.timestamps)
                if not left:
                    return
        if by_line:
            if form in (SSE, SSE_RAW):
                # Who comes back from here on has seen everything before.
                yield id_alone(OutputMark(position, asked.resume.seen or 0 if asked.resume else 0).token())
            async for piece in self._following(asked._replace(limit=left), form, states, position):
                yield piece

    async def _uncounted(self, asked: LineAsked) -> tuple[Sequence[Row], Place] | None:
        """The last lines without numbers and where they end, when it would take long to count them."""
        query = asked.query
        if query.search or query.since or query.first or not query.tail:
            return None
        rows: Sequence[Row] = []
        async for page in self._reading.history(query):
            if isinstance(page, Reached):
                return (rows, page.position) if rows and not rows[0].line.number else None
            rows = page
        return None

    async def _following(
        self, asked: LineAsked, form: str, states: Mapping[str, Any], position: Place
    ) -> AsyncIterator[bytes]:
        skip = asked.resume.seen or 0 if asked.resume else 0
        seen, left = 0, asked.limit
        mark = position
        async for found in self._reading.follow(
            asked.query, dict(states), asked.selection.holds, position, self._heartbeat
        ):
            if found is None:
                yield BEAT if form in (SSE, SSE_RAW) else b""
                continue
            rows, end = found
            rows, skip = rows[skip:][:left], max(0, skip - len(rows))
            left -= len(rows)
            if form in (SSE, SSE_RAW):
                labels = await self._labels(asked, rows)
                parts = []
                for row in rows:
                    seen += 1
                    parts.append(framed_row(form, row, labels, OutputMark(mark, seen).token()))
                yield b"".join(parts)
            else:
                yield encode_rows(form, rows, await self._labels(asked, rows), timestamps=asked.timestamps)
            if not left:
                return
            if not rows and end == mark:
                continue
            mark, seen = (end, 0) if rows or self._outputs.distance(mark, end) > _FAR else (mark, seen)

    async def _labels(self, asked: LineAsked, rows: Sequence[Row]) -> Mapping[str, Label]:
        return await asked.selection.labels({row.execution for row in rows})
