"""The services over a real store, on a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled


@pytest.fixture
async def squall(tmp_path: Path) -> AsyncIterator[Assembly]:
    async with assembled(tmp_path) as made:
        yield made
