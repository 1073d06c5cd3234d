"""Lines of executions: what is there and what follows join; large outputs are counted at their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled, output_of, scripted

from squall.adapters.blobs.opening import BlobPlace
from squall.adapters.journal.workers import LineWorkers
from squall.core.errors import InvalidError
from squall.core.output.line_query import Search
from squall.server import linereader
from squall.services.output import line_reading
from squall.services.output.line_reading import LineQuery, LineReading, Reached, Row

pytestmark = pytest.mark.anyio


class Made:
    """Services with processes that read lines."""

    def __init__(self, squall: Assembly, lines: LineWorkers) -> None:
        self.squall = squall
        self.lines = lines
        self.reading = LineReading(lines, squall.outputs)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    async with assembled(tmp_path) as squall:
        lines = LineWorkers(partial(linereader.start, tmp_path, BlobPlace("")))
        try:
            yield Made(squall, lines)
        finally:
            lines.close()


async def shown(reading: LineReading, query: LineQuery) -> list[tuple[int, bytes]]:
    rows: list[Row] = []
    async for page in reading.history(query):
        if not isinstance(page, Reached):
            rows += page
    return [(row.line.number, row.line.data) for row in rows]


async def test_what_is_there_and_what_follows_join(made: Made) -> None:
    squall = made.squall
    task, execution, _ = await squall.start()
    spec = output_of(execution)
    scripted(squall).show(spec, b"one\ntwo\nthr")
    query = LineQuery(execution=execution, members=(execution.id,))
    states, position = await made.reading.states(query)
    assert states[execution.id].lines == 3
    assert [(line.number, line.data) for line in states[execution.id].begun] == [(3, b"thr")]
    scripted(squall).show(spec, b"ee\nfour")
    await squall.end(task, execution)

    async def holds(_execution: str) -> bool:
        return True

    followed = [
        (row.line.number, row.line.data)
        async for found in made.reading.follow(query, states, holds, position, 5.0)
        if found is not None
        for row in found[0]
    ]
    assert followed == [(3, b"three\n"), (4, b"four")]
    assert await shown(made.reading, query) == [(1, b"one\n"), (2, b"two\n"), (3, b"three\n"), (4, b"four")]


@pytest.mark.parametrize("around", [0, 1, 2, 5])
async def test_lines_around_matches_are_the_same_whenever_a_follower_comes(made: Made, around: int) -> None:
    """Also where a match, or what is around it, comes before and after the moment."""
    for cut in (0, 1, 5, 6, 7, 8, 9, 20, 24, 25, 39, 40):
        await lines_around(made, around, cut)


async def lines_around(made: Made, around: int, cut: int) -> None:
    """Has somebody follow from the moment on at which `cut` lines are there."""
    squall = made.squall
    task, execution, _ = await squall.start()
    lines = [b"%d\n" % number for number in range(1, 41)]
    printed = b"".join(lines)
    # Cut in the middle of a line as well.
    at = len(b"".join(lines[:cut])) + (1 if cut % 2 and cut < 40 else 0)
    if at:
        scripted(squall).show(output_of(execution), printed[:at])
    query = LineQuery(execution=execution, members=(execution.id,), search=Search(pattern="^(7|9|25)$"), context=around)
    states, position = await made.reading.states(query)
    open_lines = {line.number for state in states.values() for line in state.begun}
    found: list[Row] = []
    async for page in made.reading.history(query, states):
        if not isinstance(page, Reached):
            found += [row for row in page if row.line.number not in open_lines]
    if printed[at:]:
        scripted(squall).show(output_of(execution), printed[at:])
    await squall.end(task, execution)

    async def holds(_execution: str) -> bool:
        return True

    async for part in made.reading.follow(query, states, holds, position, 5.0):
        found += part[0] if part is not None else []
    expected = {near for number in (7, 9, 25) for near in range(number - around, number + around + 1)}
    assert [row.line.number for row in found] == sorted(expected & set(range(1, 41))), cut
    assert [row.line.number for row in found if row.match] == [7, 9, 25], cut


async def test_pages_are_as_one(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_reading, "PAGE", 7)
    monkeypatch.setattr(line_reading, "_HITS", 3)
    _, execution, _ = await made.squall.start()
    lines = [b"%d\n" % number for number in range(1, 41)]
    scripted(made.squall).show(output_of(execution), b"".join(lines))
    query = LineQuery(execution=execution, members=(execution.id,))
    assert await shown(made.reading, query) == list(enumerate(lines, 1))
    query = LineQuery(execution=execution, members=(execution.id,), search=Search(pattern="[27]"), context=1)
    around = {
        near for number in range(1, 41) if set("27") & set(str(number)) for near in (number - 1, number, number + 1)
    }
    assert [number for number, _ in await shown(made.reading, query)] == sorted(around & set(range(1, 41)))


async def test_numbers_of_lines_need_one_execution(made: Made) -> None:
    execution = await made.squall.request()
    with pytest.raises(InvalidError, match="from_line"):
        made.reading.check(LineQuery(execution=execution, members=None, first=3))
    with pytest.raises(InvalidError, match="grep"):
        made.reading.check(LineQuery(execution=execution, members=None, search=Search(pattern="(")))


async def test_large_outputs_are_counted_when_they_have_ended(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def sums(tree: str, executions: object) -> dict[str, object]:
        asked.append(tree)
        return {}

    monkeypatch.setattr(made.lines, "sums", sums)
    task, execution, _ = await made.squall.start()
    scripted(made.squall).show(output_of(execution), b"x" * 5000)
    await made.squall.end(task, execution)
    await made.reading.count_finished(execution.tree)
    assert asked == []
    monkeypatch.setattr(line_reading, "_LARGE", 4096)
    await made.reading.count_finished(execution.tree)
    assert asked == [execution.tree]
