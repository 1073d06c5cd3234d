from __future__ import annotations

import asyncio

import pytest
from tests.unit.api.records import FIRST, output

from squall.services.event import ring
from squall.services.event.ring import Cursor, Item, Ring
from squall.testing.waiting import PATIENCE, turns

pytestmark = pytest.mark.anyio


def printed(row: int) -> Item:
    return Item(row, None, tuple(output([(b"xx", 1)], FIRST)))


async def test_each_cursor_is_given_every_item_once() -> None:
    made = Ring()
    first, second = Cursor(made, made.end, 0), Cursor(made, made.end, 0)
    made.append(printed(1))
    assert await first.next(PATIENCE) == ([printed(1)], False)
    made.append(printed(2))
    assert await first.next(PATIENCE) == ([printed(2)], False)
    assert await second.next(PATIENCE) == ([printed(1), printed(2)], False)
    assert await second.next(0) == ([], False)


async def test_who_is_too_slow_is_told_that_items_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring, "_RING_BYTES", 4)
    made = Ring()
    slow = Cursor(made, made.end, 0)
    for row in (1, 2, 3):
        made.append(printed(row))
    assert await slow.next(PATIENCE) == ([printed(2), printed(3)], True)


async def test_what_waits_is_counted_from_the_next_item_on() -> None:
    made = Ring()
    for row in (1, 2):
        made.append(printed(row))
    time = printed(1).records[0].time
    assert made.behind(0, time + 5_000) == (5, 4)
    assert made.behind(1, time + 5_000) == (5, 2)
    assert made.behind(2, time + 5_000) == (0, 0)


async def test_a_stop_ends_every_wait() -> None:
    made = Ring()
    waiting = asyncio.get_running_loop().create_task(Cursor(made, made.end, 0).next(10 * PATIENCE))
    await turns()
    made.stop()
    async with asyncio.timeout(PATIENCE):
        assert await waiting == ([], False)
        assert await Cursor(made, made.end, 0).next(10 * PATIENCE) == ([], False)


async def test_a_ring_that_was_cleared_goes_on_with_its_numbers() -> None:
    made = Ring()
    made.append(printed(1))
    made.clear()
    assert made.end == 1
    made.append(printed(2))
    assert await Cursor(made, 1, 0).next(PATIENCE) == ([printed(2)], False)
