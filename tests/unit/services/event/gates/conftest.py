"""The services of rules over time over a real store, with two trigger types."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.gated import Gated


@pytest.fixture
async def gated(squall: Assembly) -> Gated:
    made = Gated(squall)
    for ref in ("p.t", "p.u"):
        await made.add_type(ref)
    return made
