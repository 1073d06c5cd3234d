"""The journaler: carries status records, and outlives a full disk and an absent database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.doubles.assembly import Assembly

from squall.adapters.bus.inproc import DeafBus
from squall.core.errors import UnavailableError
from squall.core.output import journal as codec
from squall.ports import Bus
from squall.roles.carrier import Carrier
from squall.services.lanes import JOURNAL
from squall.services.output.journaling import MOST
from squall.testing.reading import read_until
from squall.testing.waiting import PATIENCE, eventually

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def working(squall: Assembly, bus: Bus, poll: float) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        carrier = Carrier(JOURNAL, lambda _group: squall.journaling.carry(), MOST, bus, poll=poll)
        work = group.create_task(carrier.run())
        await asyncio.sleep(0)
        yield
        work.cancel()


async def ended_with_a_journal(squall: Assembly) -> str:
    task, execution, _ = await squall.start()
    await squall.launcher.append(execution.tree, [codec.ServerRecord(execution.id, codec.PROGRESS, 1, 0, b"{}")])
    await squall.finish(task, execution)
    return execution.tree


@pytest.mark.parametrize("deaf", [False, True])
async def test_ends_are_carried_on_a_hint_or_at_the_next_look(squall: Assembly, deaf: bool) -> None:
    bus = DeafBus() if deaf else squall.bus
    async with working(squall, bus, poll=0.02 if deaf else 10 * PATIENCE):
        tree = await ended_with_a_journal(squall)
        records = await read_until(squall.journal, tree, lambda found: len(found) == 2)
    assert records[-1].kind == codec.STATUS


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), UnavailableError("away")])
async def test_an_error_that_passes_ends_no_journaler(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("squall.roles.carrier._BACK_OFF", 0.01)
    carry, broken = squall.journaling.carry, [3]

    async def emptied() -> bool:
        return not (await squall.store.read(lambda tx: tx.queue.depths())).get(JOURNAL)

    async def failing() -> int:
        if broken[0]:
            broken[0] -= 1
            raise error
        return await carry()

    monkeypatch.setattr(squall.journaling, "carry", failing)
    tree = await ended_with_a_journal(squall)
    async with working(squall, squall.bus, poll=0.02):
        await read_until(squall.journal, tree, lambda found: len(found) == 2)
        # The row goes a moment after its record has come.
        await eventually(emptied, "the row goes")
    assert broken == [0]
