from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any


def test_the_runners_are_listed(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        assert run("--url", server.url, "runner", "list").out == (
            b"RUNNER           DESCRIPTION\nlocal-shell-cmd  A shell.\n"
        )
        assert json.loads(run("--url", server.url, "runner", "list", "-j").out)[0]["name"] == "local-shell-cmd"
