"""The carrier: calls its work on hints and at each poll, and outlives errors that pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from squall.adapters.bus.inproc import DeafBus, InProcessBus
from squall.core.errors import UnavailableError
from squall.ports import Bus
from squall.roles import carrier
from squall.roles.carrier import Carrier
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


class Work:
    """What a carrier calls: each call returns or raises the next answer, then 0 for ever."""

    def __init__(self, *answers: int | Exception) -> None:
        self.calls = 0
        self._answers: Iterator[int | Exception] = iter(answers)

    async def carry(self, _group: asyncio.TaskGroup) -> int:
        self.calls += 1
        answer = next(self._answers, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def calls(
    work: Work,
    bus: Bus,
    poll: float,
    count: int,
    *,
    hints: int = 0,
    until_due: Callable[[], Awaitable[float]] | None = None,
    soon: float = 0,
) -> None:
    """Waits until the work has been called so often."""
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        carrier = Carrier("lane", work.carry, 5, bus, poll=poll, until_due=until_due, soon=soon)
        role = group.create_task(carrier.run())
        for _ in range(hints):
            await asyncio.sleep(0)
            bus.publish("lane", "")
        while work.calls < count:
            await asyncio.sleep(0.001)
        role.cancel()


async def test_a_hint_and_a_full_batch_call_it_again_at_once() -> None:
    await calls(Work(5, 5, 1), InProcessBus(), 10 * PATIENCE, 4, hints=3)


async def test_it_polls_if_hints_are_lost() -> None:
    await calls(Work(), DeafBus(), 0.001, 3)


@pytest.mark.parametrize("soon", [0, 0.001])
async def test_a_row_that_is_due_needs_neither_hint_nor_poll(soon: float) -> None:
    asked = 0

    async def until_due() -> float:
        nonlocal asked
        asked += 1
        return 0.001

    await calls(Work(), DeafBus(), 10 * PATIENCE, 3, until_due=until_due, soon=soon)
    assert asked >= 2


async def test_a_hint_that_comes_soon_saves_the_question_when_a_row_is_due() -> None:
    async def until_due() -> float:
        raise AssertionError("a hint came before")

    await calls(Work(), InProcessBus(), 10 * PATIENCE, 2, hints=3, until_due=until_due, soon=5 * PATIENCE)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), UnavailableError("away")])
async def test_an_error_that_passes_ends_no_carrier(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(carrier, "_BACK_OFF", 0.001)
    await calls(Work(error, error), InProcessBus(), 10 * PATIENCE, 3)
