"""Lines of executions: what is there and what follows join; large outputs are counted at their end."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import output_of, scripted
from tests.doubles.reading import Made, made, shown

from squall.core.errors import InvalidError
from squall.core.output.line_query import Search
from squall.services.output import line_reading
from squall.services.output.line_history import LineQuery, Reached, Row

__all__ = ["made"]

pytestmark = pytest.mark.anyio


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
