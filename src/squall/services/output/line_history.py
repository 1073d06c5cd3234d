"""Reads lines that are in the journal now: by line number, from the end, by time, or by a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from squall.core.execution.execution import Execution
from squall.core.output.line_query import LinePage, LineState, Search
from squall.core.output.lines import Line
from squall.core.output.places import BEGINNING, Place
from squall.ports import Lines
from squall.services.output.outputs import Outputs

PAGE = 5_000
"""The number of lines read at once."""

MOST_MERGED = 10_000
"""The most lines of several executions that one query merges. One execution and a whole tree have no such limit."""

_HITS = 2_000


class LineQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A selection of lines. `members` are the executions (None: the whole tree).

    `first` and `last` are line numbers (only with one execution), `since` and `until` times (µs, `until` excluded).
    `tail` limits the result to the last lines. `search` selects matching lines, with `context` lines around each.
    `streams` are stream numbers (None: all).
    """

    execution: Execution
    members: tuple[str, ...] | None
    first: int | None = None
    last: int | None = None
    after: Place = BEGINNING
    since: int | None = None
    until: int | None = None
    tail: int | None = None
    search: Search | None = None
    context: int = 0
    streams: tuple[int, ...] | None = None

    @property
    def bounded(self) -> bool:
        """True if no line that is printed later can belong to the selection."""
        return self.last is not None or self.until is not None


class Row(NamedTuple):
    """One line of an execution. `match`: the search matches it (context lines do not match). `apart`: lines between
    the previous row and this one are left out."""

    execution: str
    line: Line
    match: bool
    apart: bool


class Reached(NamedTuple):
    """The end of a history: the position after its last line. `more`: earlier merged lines were left out."""

    position: Place
    more: bool


class LineHistory:
    """Reads the lines that are in the journal now."""

    def __init__(self, lines: Lines, outputs: Outputs) -> None:
        self._lines = lines
        self._outputs = outputs

    async def read(
        self, query: LineQuery, states: Mapping[str, LineState] | None = None
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """Yields pages of the lines that are in the journal now, and a `Reached` at the end.

        With `states`, a search stops at them: `follow` reports the lines that are open there or begin later.
        """
        if query.members is not None and len(query.members) == 1:
            inner = self._single(query, query.members[0], states)
        else:
            inner = self._merged(query, states)
        async with aclosing(inner) as pages:
            async for page in pages:
                yield page

    async def _single(
        self, query: LineQuery, execution: str, states: Mapping[str, LineState] | None
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        tree = query.execution.tree
        first, last = await self._bounds(query, execution)
        if query.search is not None:
            open_lines: frozenset[int] = frozenset()
            if states is not None:
                last = min(last, states[execution].lines if execution in states else 0)
                open_lines = frozenset(line.number for line in states[execution].begun) if last else open_lines
            async for page in self._matching(query, execution, first, last, open_lines):
                yield page
            yield Reached(0, False)
            return
        if query.tail is not None:
            if query.bounded or query.since is not None or query.first is not None or query.after:
                total = (await self._lines.lines(tree, execution, 1, 0, None)).total
                first = max(first, min(last, total) - query.tail + 1)
            else:
                rows, position = await self._lines.tail(tree, [execution], query.tail, query.streams)
                yield [Row(execution, line, False, False) for _, line in rows]
                yield Reached(position, False)
                return
        async for part in self._range(query, execution, first, last):
            yield part

    async def _range(
        self, query: LineQuery, execution: str, first: int, last: int
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        position = 0
        async with aclosing(self.pages(query.execution.tree, execution, first, last, query.streams)) as pages:
            async for page in pages:
                if page.lines:
                    yield [Row(execution, line, False, False) for line in page.lines]
                position = page.position
        yield Reached(position, False)

    async def pages(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None
    ) -> AsyncGenerator[LinePage, None]:
        """Yields the lines `first` to `last` in pages of at most `PAGE` lines."""
        while True:
            page = await self._lines.lines(tree, execution, first, min(last, first + PAGE - 1), streams)
            yield page
            first = page.last + 1
            if first > min(last, page.total):
                return

    async def _bounds(self, query: LineQuery, execution: str) -> tuple[int, int]:
        tree = query.execution.tree
        first, last = query.first or 1, query.last if query.last is not None else 1 << 53
        if query.after:
            states, _ = await self._lines.states(tree, [execution], query.after)
            first = max(first, states[execution].lines + 1 if execution in states else 1)
        if query.since is not None:
            first = max(first, await self._lines.line_at(tree, execution, query.since))
        if query.until is not None:
            last = min(last, await self._lines.line_at(tree, execution, query.until) - 1)
        return first, last

    async def _matching(
        self, query: LineQuery, execution: str, first: int, last: int, open_lines: frozenset[int]
    ) -> AsyncGenerator[Sequence[Row], None]:
        """Yields matching lines and their context, without the open lines. With `tail`, only the last matches."""
        assert query.search is not None  # noqa: S101 - the caller has checked it
        search = msgspec.structs.replace(
            query.search, start=first, stop=last, limit=query.tail or _HITS, backwards=query.tail is not None,
            streams=query.streams,
        )  # fmt: skip
        last_yielded = 0
        while True:
            hits = await self._lines.search(query.execution.tree, execution, search)
            complete = [number for number in hits.numbers if number not in open_lines]
            for start, stop, numbers in groups(complete, query.context, first, last):
                begin = max(start, last_yielded + 1)
                apart = query.context > 0 and 0 < last_yielded < begin - 1
                async with aclosing(self.pages(query.execution.tree, execution, begin, stop, query.streams)) as pages:
                    async for page in pages:
                        yield [
                            Row(execution, line, line.number in numbers, apart and at == 0)
                            for at, line in enumerate(page.lines)
                        ]
                        apart = apart and not page.lines
                        last_yielded = max(last_yielded, page.last)
            if query.tail is not None or not hits.resume:
                return
            search = msgspec.structs.replace(search, start=hits.resume)

    async def _merged(
        self, query: LineQuery, states: Mapping[str, LineState] | None
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """Yields the lines of several executions, in the order in which they began; at most the last `MOST_MERGED`."""
        tree = query.execution.tree
        if states is None and query.members is None and query.search is None and query.tail is None and not query.after:
            async for part in self._whole(query):
                yield part
            return
        if query.search is None and query.since is None and query.until is None and not query.after:
            count = query.tail if query.tail is not None else MOST_MERGED
            rows, position = await self._lines.tail(tree, query.members, count, query.streams)
            yield self._in_order([Row(execution, line, False, False) for execution, line in rows])
            yield Reached(position, query.tail is None and len(rows) == MOST_MERGED)
            return
        merged: list[Row] = []
        for execution in await self._lines.sums(tree, query.members):
            async with aclosing(self._single(query, execution, states)) as pages:
                async for page in pages:
                    if not isinstance(page, Reached):
                        merged += page
            if len(merged) > 2 * MOST_MERGED:
                merged = self._in_order(merged)[-MOST_MERGED:]
        most = query.tail if query.tail is not None else MOST_MERGED
        yield self._in_order(merged)[-most:] if most else []
        yield Reached(0, len(merged) > most)

    def _in_order(self, rows: Sequence[Row]) -> list[Row]:
        order = self._outputs.order
        return sorted(rows, key=lambda row: (order(row.line.position), row.line.number))

    async def _whole(self, query: LineQuery) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """Yields all lines of a tree in the order in which they began. Rows have their line number in the execution
        only if the range starts at the first line; otherwise the number is 0."""
        tree, last = query.execution.tree, 1 << 53
        at = await self._lines.line_at(tree, "", query.since) if query.since is not None else 1
        if query.until is not None:
            last = await self._lines.line_at(tree, "", query.until) - 1
            if last < at:
                yield Reached(0, False)
                return
        numbers: Counter[str] = Counter()
        from_start = at == 1
        while True:
            page = await self._lines.rows(tree, "", at, min(last, at + PAGE - 1), None, None)
            rows = []
            for execution, line in page.rows:
                numbers[execution] += 1
                if query.streams is None or line.stream in query.streams:
                    number = numbers[execution] if from_start else 0
                    rows.append(Row(execution, line._replace(number=number), False, False))
            if rows:
                yield rows
            at += len(page.rows)
            if at > min(last, page.total):
                # `follow` continues at this position. A position read later would skip the lines printed since.
                yield Reached(page.position, False)
                return


def groups(numbers: Sequence[int], context: int, first: int, last: int) -> list[tuple[int, int, frozenset[int]]]:
    """Returns runs of lines that cover all `numbers` and `context` lines around each: the first line, the last line,
    and the matching numbers of each run."""
    runs: list[tuple[int, int, list[int]]] = []
    for number in numbers:
        start, stop = max(first, number - context), min(last, number + context)
        if runs and start <= runs[-1][1] + 1 and stop - runs[-1][0] < PAGE:
            runs[-1] = (runs[-1][0], max(stop, runs[-1][1]), [*runs[-1][2], number])
        else:
            runs.append((start, stop, [number]))
    return [(start, stop, frozenset(inside)) for start, stop, inside in runs]
