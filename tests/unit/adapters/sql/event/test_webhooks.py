"""The tables of webhooks in SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from squall.adapters.sql.sqlite import open_store
from squall.core.event.webhooks.records import Delivery, HookSettings
from squall.ports import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(tmp_path / "squall.db", backup_suffix=".old")
    yield store
    await store.close()


def delivery(number: int, verdict: str = "accepted", url: str = "a") -> Delivery:
    return Delivery(
        id=f"d{number}",
        url=url,
        at=number,
        verdict=verdict,
        headers=(("X-A", "1"), ("X-A", "2")),
        body=b"\xff\x00",
        size=2,
        delivery_id="m1",
        instance="i1",
        user="ada",
        remote="::1",
        replay_of="d0",
        reason="because",
    )


async def call(store: Store, name: str, *arguments: Any) -> Any:
    """Calls a method of the tables in a transaction of its own."""
    return await store.tx(lambda tx: getattr(tx.webhooks, name)(*arguments))


async def ids(store: Store, *arguments: Any) -> list[str]:
    """The ids of a page."""
    return [each.id for each in await call(store, "find", *arguments)]


async def test_settings_replace_earlier_ones(store: Store) -> None:
    for preset in (None, "github"):
        await call(store, "put_settings", HookSettings(url="b", preset=preset))
    await call(store, "put_settings", HookSettings(url="a", secrets=("x", "y")))
    settings = await call(store, "settings")
    assert [(each.url, each.preset, each.secrets) for each in settings] == [
        ("a", None, ("x", "y")),
        ("b", "github", ()),
    ]


async def test_an_id_is_claimed_once_until_it_is_old_and_goes_with_its_settings(store: Store) -> None:
    assert await call(store, "claim", "a", "m1", "i1", 10, 0) is None
    assert await call(store, "claim", "a", "m1", "i2", 20, 9) == "i1"
    assert await call(store, "claim", "b", "m1", "i2", 20, 9) is None
    assert await call(store, "claim", "a", "m1", "i3", 30, 10) is None
    assert await call(store, "claim", "a", "m1", "i4", 31, 10) == "i3"
    await call(store, "delete_settings", "a")
    assert await call(store, "claim", "a", "m1", "i5", 32, 10) is None
    assert await call(store, "claim", "b", "m1", "i6", 33, 10) == "i2"


async def test_a_delivery_is_read_as_it_was_written_and_listed_without_its_body(store: Store) -> None:
    for number in (1, 2, 3):
        await call(store, "add", delivery(number, "duplicate" if number == 2 else "accepted"))
    assert await call(store, "get", "a", "d1") == delivery(1)
    assert await call(store, "get", "b", "d1") is None
    page = await call(store, "find", "a", None, 2, 1)
    assert [(each.id, each.body, each.headers) for each in page] == [("d2", b"", ()), ("d1", b"", ())]
    assert await ids(store, "a", "accepted", None, 0) == ["d3", "d1"]
    assert [await call(store, "count", "a", None, 9), await call(store, "count", "a", "accepted", 1)] == [3, 1]


async def test_the_newest_of_some_verdicts_stay(store: Store) -> None:
    for number in range(6):
        await call(store, "add", delivery(number, "unknown" if number % 2 else "accepted"))
    assert await call(store, "trim", "a", ("unknown", "bad_body"), 1) == 2
    assert await ids(store, "a", None, None, 0) == ["d5", "d4", "d2", "d0"]


async def test_old_deliveries_and_ids_go_some_at_a_time(store: Store) -> None:
    for number in range(5):
        await call(store, "add", delivery(number))
        await call(store, "claim", "a", f"m{number}", "i", number, -1)
    removed = []
    while count := await call(store, "expire", 3, 4, 2):
        removed.append(count)
    assert removed == [4, 3]
    assert await ids(store, "a", None, None, 0) == ["d4", "d3"]
    assert await call(store, "claim", "a", "m4", "j", 9, 0) == "i"
