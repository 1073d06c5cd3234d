"""What every test has: asyncio as its event loop, and property tests that no slow machine fails."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# The contract suites lie in the package; their failures are to be told as well as those of tests.
pytest.register_assert_rewrite("squall.testing", "tests.scenarios.faults.mortal", "tests.scenarios.faults.viewers")

# The same examples each time, so that a change fails for what it changed; `make soak` looks for new ones.
EXAMPLES = int(os.environ.get("SQUALL_EXAMPLES", "0"))
settings.register_profile("squall", deadline=None, max_examples=EXAMPLES or 60, derandomize=not EXAMPLES)
settings.load_profile("squall")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
