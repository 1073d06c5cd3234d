"""Reading outputs by their lines: ranges, the last ones, those since a time, those that match; and then what
follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.core.output.line_context import LineContext
from squall.core.output.line_query import Hits, LinePage, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line, LineCounter, LineStream
from squall.ports import Lines
from squall.services.output.outputs import Outputs

PAGE = 5_000
"""Lines that are read at once."""

MOST_MERGED = 10_000
"""Lines of several executions that are put into one order at most; those of one, and of a whole tree, have no bound."""

_HITS = 2_000
_LARGE = 8 << 20


class LineQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines. `members` are the executions (None: all of the tree); `first` and `last` numbers of lines (of one
    execution only), `since` and `until` times (µs, the second one excluded), `tail` the last so many; `search` what has
    to be in them, with `context` lines around. `streams` are numbers; None is all."""

    execution: Execution
    members: tuple[str, ...] | None
    first: int | None = None
    last: int | None = None
    after: int = 0
    since: int | None = None
    until: int | None = None
    tail: int | None = None
    search: Search | None = None
    context: int = 0
    streams: tuple[int, ...] | None = None

    @property
    def bounded(self) -> bool:
        """Whether nothing that comes later can belong to it."""
        return self.last is not None or self.until is not None


class Row(NamedTuple):
    """One line of an execution. `match`: it is what was searched for, and no line around it; `apart`: lines between it
    and the row before it are left out."""

    execution: str
    line: Line
    match: bool
    apart: bool


class Reached(NamedTuple):
    """Where the lines so far end: a position, and how many more there were (of merged lines only the last are
    given)."""

    position: int
    more: bool


class LineReading:
    """Answers `LineQuery`s."""

    def __init__(self, lines: Lines, outputs: Outputs) -> None:
        self._lines = lines
        self._outputs = outputs

    async def sums(self, execution: Execution, members: Collection[str] | None) -> dict[str, OutputSums]:
        """What each of these executions (None: all of the tree) has printed; see `ports.Lines`."""
        return await self._lines.sums(execution.tree, members)

    async def count_finished(self, tree: str) -> None:
        """Counts the lines of a tree that has ended, if it is so large that a reader would have to wait for it."""
        if self._outputs.head(tree) >= _LARGE and await self._outputs.settled(tree):
            await self._lines.sums(tree, ())

    def check(self, query: LineQuery) -> None:
        """Raises `InvalidError` for what cannot be asked."""
        single = query.members is not None and len(query.members) == 1
        if not single and (query.first is not None or query.last is not None):
            name = "from_line" if query.first is not None else "to_line"
            raise InvalidError(f"{name}: lines are counted in each execution; name one with execution=, or tree=false.")
        if query.search is not None:
            self._lines.matcher(query.search)

    # -- what is there

    async def history(
        self, query: LineQuery, states: Mapping[str, LineState] | None = None
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """The lines that are there, in pages; at the end a `Reached`. With `states`, a search ends where they end: what
        is open there, or comes behind it, is `follow`'s."""
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
        async with aclosing(self._pages(query.execution.tree, execution, first, last, query.streams)) as pages:
            async for page in pages:
                if page.lines:
                    yield [Row(execution, line, False, False) for line in page.lines]
                position = page.position
        yield Reached(position, False)

    async def _pages(
        self, tree: str, execution: str, first: int, last: int, streams: tuple[int, ...] | None
    ) -> AsyncGenerator[LinePage, None]:
        """Lines by number, as many at once as fit."""
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
        """The lines that match, with those around them, except for the open ones. With `tail` the last so many
        matches."""
        assert query.search is not None  # noqa: S101 - the caller has asked
        wanted = msgspec.structs.replace(
            query.search, start=first, stop=last, limit=query.tail or _HITS, backwards=query.tail is not None,
            streams=query.streams,
        )  # fmt: skip
        shown = 0
        while True:
            hits = await self._lines.search(query.execution.tree, execution, wanted)
            complete = [number for number in hits.numbers if number not in open_lines]
            for start, stop, numbers in _groups(complete, query.context, first, last):
                begin = max(start, shown + 1)
                apart = query.context > 0 and 0 < shown < begin - 1
                async with aclosing(self._pages(query.execution.tree, execution, begin, stop, query.streams)) as pages:
                    async for page in pages:
                        yield [
                            Row(execution, line, line.number in numbers, apart and at == 0)
                            for at, line in enumerate(page.lines)
                        ]
                        apart = apart and not page.lines
                        shown = max(shown, page.last)
            if query.tail is not None or not hits.resume:
                return
            wanted = msgspec.structs.replace(wanted, start=hits.resume)

    async def _merged(
        self, query: LineQuery, states: Mapping[str, LineState] | None
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """The lines of several executions, in the order in which they began: the last ones, if they are very many."""
        tree = query.execution.tree
        if states is None and query.members is None and query.search is None and query.tail is None and not query.after:
            async for part in self._whole(query):
                yield part
            return
        if query.search is None and query.since is None and query.until is None and not query.after:
            count = query.tail if query.tail is not None else MOST_MERGED
            rows, position = await self._lines.tail(tree, query.members, count, query.streams)
            yield _in_order([Row(execution, line, False, False) for execution, line in rows])
            yield Reached(position, query.tail is None and len(rows) == MOST_MERGED)
            return
        found: list[Row] = []
        for execution in await self._lines.sums(tree, query.members):
            async with aclosing(self._single(query, execution, states)) as pages:
                async for page in pages:
                    if not isinstance(page, Reached):
                        found += page
            if len(found) > 2 * MOST_MERGED:
                found = _in_order(found)[-MOST_MERGED:]
        most = query.tail if query.tail is not None else MOST_MERGED
        yield _in_order(found)[-most:] if most else []
        yield Reached(0, len(found) > most)

    async def _whole(self, query: LineQuery) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """The lines of a whole tree, however many, in the order in which they began. Given from the first
        one on they have the numbers of their executions."""
        tree, last = query.execution.tree, 1 << 53
        at = await self._lines.line_at(tree, "", query.since) if query.since is not None else 1
        if query.until is not None:
            last = await self._lines.line_at(tree, "", query.until) - 1
            if last < at:
                yield Reached(0, False)
                return
        numbers: Counter[str] = Counter()
        counted = at == 1
        while True:
            page = await self._lines.rows(tree, "", at, min(last, at + PAGE - 1), None, None)
            rows = []
            for execution, line in page.rows:
                numbers[execution] += 1
                if query.streams is None or line.stream in query.streams:
                    number = numbers[execution] if counted else 0
                    rows.append(Row(execution, line._replace(number=number), False, False))
            if rows:
                yield rows
            at += len(page.rows)
            if at > min(last, page.total):
                # What follows goes on where this page ends: a later look would pass over what has come since.
                yield Reached(page.position, False)
                return

    # -- what follows

    async def states(self, query: LineQuery, after: int | None = None) -> tuple[dict[str, LineState], int]:
        """How far the lines go at a position (None: now), for `follow` to go on from."""
        # The beginning has two names, and the other one means the present to those who count.
        at = 0 if after is None else max(after, journal.HEADER_SIZE)
        return await self._lines.states(query.execution.tree, query.members, at)

    async def follow(
        self,
        query: LineQuery,
        states: dict[str, LineState],
        holds: Callable[[str], Awaitable[bool]],
        after: int,
        heartbeat: float,
    ) -> AsyncIterator[tuple[list[Row], int] | None]:
        """The lines that are completed behind a position, until the execution ends; with each list the position it ends
        at. None when nothing came for `heartbeat` seconds. `holds` tells whether an execution is wanted."""
        choosing: dict[str, Callable[[Line], list[Row]]] = {}
        streams = {
            execution: LineStream(state.counter(), state.begun, query.streams) for execution, state in states.items()
        }
        whole = query.members is None or len(query.members) > 1 or query.members[0] != query.execution.id
        position = after
        async with aclosing(self._outputs.follow(query.execution, whole, after, True, heartbeat)) as batches:
            async for batch in batches:
                if batch is None:
                    yield None
                    continue
                rows: list[Row] = []
                for record in batch.records:
                    if not await holds(record.execution):
                        continue
                    cutter = streams.get(record.execution)
                    if cutter is None:
                        cutter = streams[record.execution] = LineStream(LineCounter(), (), query.streams)
                    for line in cutter.take(record):
                        if record.execution not in choosing:
                            choosing[record.execution] = await self._chooser(query, record.execution, states)
                        rows += choosing[record.execution](line)
                position = batch.position
                yield rows, position
        rest: list[Row] = []
        for each, cutter in streams.items():
            for line in cutter.rest():
                choose = choosing.get(each) or await self._chooser(query, each, states)
                choosing[each] = choose
                rest += choose(line)
        yield rest, position

    async def rows(
        self, execution: Execution, whole: bool, first: int, last: int, streams: tuple[int, ...] | None, cut: int | None
    ) -> RowPage:
        """Lines by their numbers among those on some streams, of one execution or of its `whole` tree: see
        `ports.Lines`."""
        return await self._lines.rows(execution.tree, "" if whole else execution.id, first, last, streams, cut)

    async def find_rows(self, execution: Execution, whole: bool, search: Search) -> Hits:
        """The rows that match; their numbers are counted among those on `search.counted`."""
        wanted = msgspec.structs.replace(search, rows=True)
        return await self._lines.search(execution.tree, "" if whole else execution.id, wanted)

    async def find(self, execution: Execution, search: Search, context: int | None) -> tuple[list[Row], Hits]:
        """The lines of one execution that match, up to `search.limit`, with `context` lines around each (None: only
        the numbers), and what the search has given."""
        hits = await self._lines.search(execution.tree, execution.id, search)
        rows: list[Row] = []
        for start, stop, numbers in _groups(hits.numbers, context, 1, 1 << 53) if context is not None else ():
            async with aclosing(self._pages(execution.tree, execution.id, start, stop, search.streams)) as pages:
                async for page in pages:
                    rows += [
                        Row(execution.id, line, line.number in numbers, False)
                        for line in page.lines
                        if context or line.number in numbers
                    ]
        return rows, hits

    async def _chooser(
        self, query: LineQuery, execution: str, states: Mapping[str, LineState]
    ) -> Callable[[Line], list[Row]]:
        """Gives what is to be shown of an execution's next line, which goes on behind `states`."""
        since = query.since or 0
        if query.search is None:
            return lambda line: [Row(execution, line, False, False)] if line.time >= since else []
        context = LineContext(self._lines.matcher(query.search), query.context)
        state = states.get(execution)
        if query.context and state is not None and state.lines:
            # So many lines decide which of those before the next match have been shown already.
            first = max(1, state.lines - 2 * query.context)
            page = await self._lines.lines(query.execution.tree, execution, first, state.lines, query.streams)
            open_lines = {line.number for line in state.begun}
            for line in page.lines:
                if line.number not in open_lines:
                    context.take(line)
        return lambda line: [Row(execution, *chosen) for chosen in context.take(line)]

    async def place_of_byte(
        self, execution: Execution, offset: int, streams: tuple[int, ...] | None
    ) -> tuple[int, int]:
        """Where to read on from for a byte of one execution's output, and how many bytes come before it there."""
        return await self._lines.byte(execution.tree, execution.id, offset, streams)


def _groups(numbers: Sequence[int], context: int, first: int, last: int) -> list[tuple[int, int, frozenset[int]]]:
    """Runs of lines that hold all of `numbers` and `context` lines around each: first, last, and those in it that
    match."""
    found: list[tuple[int, int, list[int]]] = []
    for number in numbers:
        start, stop = max(first, number - context), min(last, number + context)
        if found and start <= found[-1][1] + 1 and stop - found[-1][0] < PAGE:
            found[-1] = (found[-1][0], max(stop, found[-1][1]), [*found[-1][2], number])
        else:
            found.append((start, stop, [number]))
    return [(start, stop, frozenset(inside)) for start, stop, inside in found]


def _in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.line.position, row.line.number))
