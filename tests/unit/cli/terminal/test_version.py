from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from squall import __version__


@pytest.mark.parametrize("argv", [["version"], ["--version"]])
def test_the_version_needs_no_server(run: Callable[..., Any], argv: list[str]) -> None:
    got = run(*argv)
    assert got.status == 0 and got.out.startswith(f"squall {__version__} (Python ".encode())
