"""What every test has: asyncio as its event loop, and property tests that no slow machine fails."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The contract suites lie in the package; their failures are to be told as well as those of tests.
pytest.register_assert_rewrite("squall.testing", "tests.scenarios.faults.mortal", "tests.scenarios.faults.viewers")

settings.register_profile("squall", deadline=None, max_examples=60)
settings.load_profile("squall")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
