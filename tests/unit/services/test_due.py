"""How long a loop waits for the next row of its lane."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly

from squall.services.due import seconds_until_due

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("later", "seconds"), [(None, 5), (2_000_000, 2), (9_000_000, 5), (0, 0.001), (-7, 0.001)])
async def test_a_loop_waits_until_the_next_row_or_for_one_poll(
    squall: Assembly, later: int | None, seconds: float
) -> None:
    if later is not None:
        due = squall.clock.now() + later
        await squall.store.tx(lambda tx: tx.queue.put("lane", "row", None, due))
    assert await seconds_until_due(squall.store, squall.clock, "lane", 5) == seconds
