from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenarios.faults.pack import write_pack


@pytest.fixture(scope="session")
def fault_packs(packs: Path) -> Path:
    """The folder with the tests' packs, that of the fault tests among them."""
    if not (packs / "faults").exists():
        write_pack(packs)
    return packs
