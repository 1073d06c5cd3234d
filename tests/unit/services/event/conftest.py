"""The services of triggers and rules over a real store."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly
from tests.doubles.reacting import Reacting


@pytest.fixture
def reacting(squall: Assembly) -> Reacting:
    return Reacting(squall)
