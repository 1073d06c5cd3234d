from __future__ import annotations

import pytest
from tests.doubles.assembly import output_of, scripted
from tests.doubles.reading import Made, made, shown

from squall.core.output.line_query import Search
from squall.services.output import line_history
from squall.services.output.line_history import LineQuery

__all__ = ["made"]

pytestmark = pytest.mark.anyio


async def test_pages_are_as_one(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_history, "PAGE", 7)
    monkeypatch.setattr(line_history, "_HITS", 3)
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
