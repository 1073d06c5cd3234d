from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.journals import Kept

from squall.adapters.journal.lines import index as index_module


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


@pytest.fixture
def small_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks and side files also for little output."""
    monkeypatch.setattr(index_module, "STRIDE", 16)
    monkeypatch.setattr(index_module, "_READ", 300)
    monkeypatch.setattr(index_module, "_WRITE_AFTER", 500)
    monkeypatch.setattr(index_module, "_SMALL", 0)
