from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from squall.adapters.runners.python import PythonPlaces
from squall.assembly import plugins
from squall.core.errors import ConfigError

PLACES = PythonPlaces(virtualenvs=Path("/v"), worktrees=Path("/w"))


class _Point:
    """An entry point of some installed distribution."""

    name = "from-outside"

    def load(self) -> Any:
        """Its function."""

        def make(base: Mapping[str, str], *more: str) -> Any:
            return ("made", dict(base), *more)

        return make


def test_the_built_in_runners_are_there() -> None:
    found = plugins.runners({}, "", "/", places=PLACES)
    assert {"noop", "local-shell-cmd", "local-shell-script", "python-script"} <= set(found)
    assert found["local-shell-cmd"] is found["local-shell-script"]


def test_runners_of_installed_distributions_are_found_by_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def points(*, group: str) -> list[_Point]:
        asked.append(group)
        return [_Point()]

    monkeypatch.setattr(plugins, "entry_points", points)
    found = plugins.runners({"PATH": "/bin"}, "someone", "/there", places=PLACES)
    assert asked == [plugins.RUNNER_GROUP]
    assert found["from-outside"] == ("made", {"PATH": "/bin"}, "someone", "/there")  # type: ignore[comparison-overlap]


def test_a_runner_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(_Point):
        dist = None
        value = "gone:make"

        def load(self) -> Any:
            raise ImportError("No module named 'gone'")

    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [Broken()])
    with pytest.raises(ConfigError, match=r'runner "from-outside" of the distribution gone:make .*ImportError'):
        plugins.runners({}, "", "/", places=PLACES)
