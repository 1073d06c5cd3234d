from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenarios.faults.pack import write_pack
from tests.scenarios.live.pack import write_pack as write_live_pack


@pytest.fixture(scope="session")
def fault_packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the tests' packs, that of the fault tests among them."""
    folder = tmp_path_factory.mktemp("fault-packs")
    write_live_pack(folder)
    write_pack(folder)
    return folder
