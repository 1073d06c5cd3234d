"""Reads output by lines: the lines that are in the journal now, and then the lines that follow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output.accounts import Loss
from squall.core.output.journal import NO_STREAM, loss_record
from squall.core.output.line_context import LineContext
from squall.core.output.line_query import Hits, LineState, OutputSums, RowPage, Search
from squall.core.output.lines import Line, LineCounter, LineStream, Missing
from squall.core.output.places import BEGINNING, Place
from squall.ports import Lines
from squall.services.output.line_history import LineHistory, LineQuery, Reached, Row, groups
from squall.services.output.outputs import Outputs

_LARGE = 8 << 20
_MOST_PLACES = 100


class LineReading:
    """Answers `LineQuery`s."""

    def __init__(self, lines: Lines, outputs: Outputs) -> None:
        self._lines = lines
        self._outputs = outputs
        self._history = LineHistory(lines, outputs)

    async def sums(self, execution: Execution, members: Collection[str] | None) -> dict[str, OutputSums]:
        """Returns the output totals of each execution (None: all of the tree); see `ports.Lines`. What the journal does
        not hold any more counts as gaps behind the last line."""
        sums = await self._lines.sums(execution.tree, members)
        for loss in await self.lost(execution, execution.parent is None):
            for key in ("", loss.execution):
                if key in members if members is not None else key:
                    now = sums.get(key, OutputSums())
                    sums[key] = msgspec.structs.replace(
                        now,
                        gaps=now.gaps + 1,
                        missing=now.missing + loss.missing,
                        places=(*now.places, now.lines)[:_MOST_PLACES],
                    )
        return sums

    async def lost(self, execution: Execution, whole: bool) -> Sequence[Loss]:
        """Returns what the journal does not hold any more of an ended execution (or of its `whole` tree); nothing as
        long as it runs."""
        return await self._outputs.losses.of(execution, whole) if await self._outputs.settled(execution.id) else ()

    async def count_finished(self, tree: str) -> None:
        """Counts the lines of an ended tree if it is so large that a reader would wait for the count."""
        if self._outputs.left(tree, BEGINNING) >= _LARGE and await self._outputs.settled(tree):
            await self._lines.sums(tree, ())

    def check(self, query: LineQuery) -> None:
        """Raises `InvalidError` if the query's fields do not fit together or its pattern is invalid."""
        single = query.members is not None and len(query.members) == 1
        if not single and (query.first is not None or query.last is not None):
            name = "from_line" if query.first is not None else "to_line"
            raise InvalidError(f"{name}: lines are counted in each execution; name one with execution=, or tree=false.")
        if query.search is not None:
            self._lines.matcher(query.search)

    def history(
        self, query: LineQuery, states: Mapping[str, LineState] | None = None
    ) -> AsyncGenerator[Sequence[Row] | Reached, None]:
        """Yields the lines that are in the journal now; see `LineHistory.read`."""
        return self._history.read(query, states)

    async def states(self, query: LineQuery, after: Place | None = None) -> tuple[dict[str, LineState], int]:
        """Returns the state of each execution's lines at a position (None: now), and that position, for `follow`."""
        return await self._lines.states(query.execution.tree, query.members, after)

    async def follow(
        self,
        query: LineQuery,
        states: dict[str, LineState],
        holds: Callable[[str], Awaitable[bool]],
        after: Place,
        heartbeat: float,
    ) -> AsyncIterator[tuple[list[Row], int] | None]:
        """Yields lines that are completed after a position, with the position after each list, until the execution
        ends. Yields None after `heartbeat` seconds without output. `holds(id)` selects the executions."""
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
        """Returns lines by their numbers on `streams`, of one execution or of its `whole` tree; see `ports.Lines`."""
        page = await self._lines.rows(execution.tree, "" if whole else execution.id, first, last, streams, cut)
        if page.rows and page.first + len(page.rows) <= page.total:
            return page
        missing = [
            Missing(page.total, loss.stream, bytes(loss_record(execution.id, loss.stream, loss.missing, 0, 0).payload))
            for loss in await self.lost(execution, whole)
            if streams is None or loss.stream in (NO_STREAM, *streams)
        ]
        return msgspec.structs.replace(page, missing=[*page.missing, *missing]) if missing else page

    async def find_rows(self, execution: Execution, whole: bool, search: Search) -> Hits:
        """Returns the matching rows; row numbers count the lines on the streams `search.counted`."""
        row_search = msgspec.structs.replace(search, rows=True)
        return await self._lines.search(execution.tree, "" if whole else execution.id, row_search)

    async def find(self, execution: Execution, search: Search, context: int | None) -> tuple[list[Row], Hits]:
        """Returns the matching lines of one execution, up to `search.limit`, with `context` lines around each (None:
        no lines), and the search result with their numbers."""
        hits = await self._lines.search(execution.tree, execution.id, search)
        rows: list[Row] = []
        for start, stop, numbers in groups(hits.numbers, context, 1, 1 << 53) if context is not None else ():
            async with aclosing(
                self._history.pages(execution.tree, execution.id, start, stop, search.streams)
            ) as pages:
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
        """Returns a function that chooses the rows to yield for each line of an execution after `states`."""
        since = query.since or 0
        if query.search is None:
            return lambda line: [Row(execution, line, False, False)] if line.time >= since else []
        context = LineContext(self._lines.matcher(query.search), query.context)
        state = states.get(execution)
        if query.context and state is not None and state.lines:
            # These lines decide which context lines before the next match the history has already yielded.
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
        """Returns the position to read from to reach a byte of one execution's output, and the bytes to skip there."""
        return await self._lines.byte(execution.tree, execution.id, offset, streams)
