from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.hooks import Hooks


@pytest.fixture
async def hooks(squall: Assembly) -> Hooks:
    return await Hooks(squall).begin("team/deploy", "other")
