"""Copies of databases, as a backup and a restore use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from squall.adapters.sql.copying import Copy, copy_database
from squall.adapters.sql.sqlite import open_store
from squall.testing.samples import NOON, sample_id

pytestmark = pytest.mark.anyio

LEASE = 60_000_000


async def test_in_a_copy_nobody_waits_for_leases_of_the_server_that_was_copied(tmp_path: Path) -> None:
    store = open_store(tmp_path / "squall.db", backup_suffix=".old")
    await store.tx(lambda tx: tx.queue.put("run", sample_id(1), None, NOON))
    assert len(await store.tx(lambda tx: tx.queue.claim("run", "one", NOON, LEASE, 10))) == 1
    copy_database(tmp_path / "squall.db", tmp_path / "copy.db")
    copy = Copy(tmp_path / "copy.db")
    copy.end_leases()
    copy.close()
    restored = open_store(tmp_path / "copy.db", backup_suffix=".old")
    (row,) = await restored.tx(lambda tx: tx.queue.claim("run", "two", NOON, LEASE, 10))
    assert row.key == sample_id(1)
    assert await store.tx(lambda tx: tx.queue.claim("run", "two", NOON, LEASE, 10)) == []
    await store.close()
    await restored.close()


async def test_a_file_that_is_no_database_has_no_leases_to_end(tmp_path: Path) -> None:
    (tmp_path / "squall.db").write_bytes(b"no database" * 100)
    copy = Copy(tmp_path / "squall.db")
    with pytest.raises(OSError, match="the leases in the copy cannot be ended"):
        copy.end_leases()
