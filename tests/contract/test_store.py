"""The stores, under their contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from squall.adapters.sql.sqlite import open_store
from squall.ports import Store
from squall.testing.tables.store import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        opened = open_store(tmp_path / "squall.db", backup_suffix=".old")
        yield opened
        await opened.close()
