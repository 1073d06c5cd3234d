"""The janitor."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles.assembly import Assembly

from squall.core.errors import UnavailableError
from squall.ports import Store
from squall.roles.janitor import Chore, Janitor
from squall.testing.waiting import PATIENCE, eventually

pytestmark = pytest.mark.anyio


async def pruned(store: Store, keep: int) -> None:
    async def few() -> bool:
        first, last = await store.read(lambda tx: tx.events.bounds())
        return last - first + 1 <= keep

    async with asyncio.TaskGroup() as group:
        chore = Chore("events", 0.01, lambda: store.tx(lambda tx: tx.events.prune(keep)))
        work = group.create_task(Janitor([chore]).run())
        await eventually(few, "events are pruned")
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


async def test_a_chore_that_takes_long_holds_up_no_other() -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def short() -> None:
        await begun.wait()
        done.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        work = group.create_task(Janitor([Chore("long", 0.001, endless), Chore("short", 0.001, short)]).run())
        await done.wait()
        work.cancel()


async def test_what_a_disk_refuses_is_tried_again() -> None:
    tries, done = [3], asyncio.Event()

    async def failing() -> None:
        if tries[0]:
            tries[0] -= 1
            raise OSError("full")
        done.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        work = group.create_task(Janitor([Chore("seal", 0.001, failing)]).run())
        await done.wait()
        work.cancel()
