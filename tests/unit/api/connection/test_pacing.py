from __future__ import annotations

import asyncio

import pytest

from squall.api.connection import pacing
from squall.api.connection.pacing import Pacing

pytestmark = pytest.mark.anyio


async def test_a_few_pipelined_requests_begin_in_each_turn_in_their_order() -> None:
    pace, begun, turns = Pacing(), list[int](), list[int]()
    for number in range(4 * pacing._AT_ONCE + 1):
        pace.begin(lambda number=number: begun.append(number))  # type: ignore[misc]
    while len(begun) < 4 * pacing._AT_ONCE + 1:
        turns.append(len(begun))
        await asyncio.sleep(0)
    assert turns == [pacing._AT_ONCE * turn for turn in range(1, 5)]
    assert begun == sorted(begun)


async def test_a_request_begins_at_once_if_few_do() -> None:
    pace, begun = Pacing(), list[int]()
    for turn in range(20):
        pace.begin(lambda: begun.append(1))
        assert len(begun) == turn + 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_requests_that_become_due_during_a_turn_wait_behind_those_that_wait_already() -> None:
    pace, begun = Pacing(), list[str]()

    def first(name: str) -> None:
        begun.append(name)
        pace.begin(lambda: begun.append(f"{name} again"))

    for number in range(pacing._AT_ONCE + 2):
        pace.begin(lambda number=number: first(f"{number}"))  # type: ignore[misc]
    while len(begun) < 2 * (pacing._AT_ONCE + 2):
        await asyncio.sleep(0)
    assert begun.index("0 again") < begun.index("5 again")
    assert len(begun) == len(set(begun))
