"""The janitor."""

from __future__ import annotations

import asyncio

import pytest

from squall.core.errors import UnavailableError
from squall.ports import Store
from squall.roles import janitor
from squall.roles.janitor import Janitor
from squall.testing.assembly import Assembly
from squall.testing.reading import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(janitor, "_EVERY", 0.01)


async def pruned(store: Store, keep: int) -> None:
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        work = group.create_task(Janitor(store, keep).run())
        while True:
            first, last = await store.read(lambda tx: tx.events.bounds())
            if last - first + 1 <= keep:
                break
            await asyncio.sleep(0.005)
        work.cancel()


async def test_events_are_kept_to_their_number(squall: Assembly) -> None:
    for _ in range(10):
        await squall.request()
    await pruned(squall.store, 3)
    assert await squall.store.read(lambda tx: tx.events.bounds()) == (8, 10)


async def test_a_store_that_fails_for_a_while_ends_no_janitor(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        await squall.request()
    tx, broken = squall.store.tx, [3]

    async def failing(work: object) -> object:
        if broken[0]:
            broken[0] -= 1
            raise UnavailableError("away")
        return await tx(work)  # type: ignore[arg-type]

    monkeypatch.setattr(squall.store, "tx", failing)
    await pruned(squall.store, 3)
    assert broken == [0]
