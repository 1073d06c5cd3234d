"""What packs import is imported by these tests as packs import it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from squall.adapters.runners.local import COMPAT


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The names of `squall.compat`, which no other test is to find."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(COMPAT))
    yield
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(COMPAT)):
            del sys.modules[name]
