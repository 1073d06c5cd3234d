"""Payloads of trigger instances above `LARGE_PAYLOAD`: they have rows of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from squall.adapters.sql.sqlite import SqliteStore, open_store
from squall.core.access.secret import Sealed
from squall.core.event.rules.records import LARGE_PAYLOAD, PROCESSED, InstanceFilter, TriggerInstance
from squall.testing.samples import NOON, sample_id

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = open_store(tmp_path / "squall.db", backup_suffix=".old")
    yield opened
    await opened.close()


def instance(payload: object, number: int = 1, source: str | None = None) -> TriggerInstance:
    return TriggerInstance(
        trigger="p.t", type="p.t", occurred_at=NOON, id=sample_id(number), payload=payload, source=source,
        status=PROCESSED,
    )  # fmt: skip


def rows_apart(tmp_path: Path) -> int:
    connection = apsw.Connection(str(tmp_path / "squall.db"))
    return int(next(connection.execute("SELECT count(*) FROM trigger_payloads"))[0])


@pytest.mark.parametrize(
    ("payload", "apart"),
    [
        ("x" * (LARGE_PAYLOAD - 2), 0),
        ("x" * (LARGE_PAYLOAD - 1), 1),
        ("é" * (LARGE_PAYLOAD // 2), 1),
        ("", 0),
        ({"secret": "********", "x": "x" * LARGE_PAYLOAD}, 1),
    ],
)
async def test_a_large_payload_has_a_row_of_its_own_and_reads_back(
    store: SqliteStore, tmp_path: Path, payload: object, apart: int
) -> None:
    await store.tx(lambda tx: tx.instances.add(instance(payload, source="s")))
    assert rows_apart(tmp_path) == apart
    by_id = await store.read(lambda tx: tx.instances.get(sample_id(1)))
    by_source = await store.read(lambda tx: tx.instances.with_source("s"))
    (loaded,) = await store.read(lambda tx: tx.instances.load([sample_id(1)], 1))
    (listed,) = await store.read(lambda tx: tx.instances.find(InstanceFilter(), None, 0))
    assert by_id == by_source == loaded == listed
    assert listed.payload == payload


async def test_a_list_can_leave_large_payloads_out(store: SqliteStore) -> None:
    await store.tx(lambda tx: tx.instances.add(instance("x" * LARGE_PAYLOAD)))
    await store.tx(lambda tx: tx.instances.add(instance("small", 2)))
    found = await store.read(lambda tx: tx.instances.find(InstanceFilter(whole=False, newest_first=False), None, 0))
    assert "1048578 bytes" in found[0].payload["omitted"]
    assert sample_id(1) in found[0].payload["omitted"]
    assert found[1].payload == "small"


async def test_an_instance_with_a_known_source_leaves_no_payload_behind(store: SqliteStore, tmp_path: Path) -> None:
    await store.tx(lambda tx: tx.instances.add(instance("x" * LARGE_PAYLOAD, source="s")))
    again = instance("y" * LARGE_PAYLOAD, 2, source="s")
    assert await store.tx(lambda tx: tx.instances.add(again)) is None
    assert rows_apart(tmp_path) == 1


async def test_a_payload_goes_with_its_instance(store: SqliteStore, tmp_path: Path) -> None:
    await store.tx(lambda tx: tx.instances.add(instance("x" * LARGE_PAYLOAD)))
    await store.tx(lambda tx: tx.instances.add(instance("small", 2)))
    assert await store.tx(lambda tx: tx.instances.expire(NOON + 1, 10)) == 2
    assert rows_apart(tmp_path) == 0


async def test_sealed_values_stay_sealed_in_a_large_payload(store: SqliteStore) -> None:
    payload = {"s": Sealed("abc"), "x": "x" * LARGE_PAYLOAD}
    await store.tx(lambda tx: tx.instances.add(instance(payload)))
    stored = await store.read(lambda tx: tx.instances.get(sample_id(1)))
    assert stored is not None
    assert stored.payload["s"] == Sealed("abc")
