"""What every test has: asyncio as its event loop, a place in the order in which several processes take tests, and
property tests that no slow machine fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Test folders are no packages; `pytest` started by its own name does not look in the directory it is started in.
sys.path.insert(0, str(Path(__file__).parents[1]))

# In one place: each conftest that imports a fixture has one of its own, and so a server of its own.
from tests.scenarios.live.fixtures import packs, plain_server, server
from tests.stalls import Stalls

__all__ = ["packs", "plain_server", "server"]

# The contract suites lie in the package; their failures are to be told as well as those of tests.
pytest.register_assert_rewrite("squall.testing", "tests.scenarios.faults.mortal", "tests.scenarios.faults.viewers")

# The same examples each time, so that a change fails for what it changed; `make soak` looks for new ones.
EXAMPLES = int(os.environ.get("SQUALL_EXAMPLES", "0"))
settings.register_profile("squall", deadline=None, max_examples=EXAMPLES or 60, derandomize=not EXAMPLES)
settings.load_profile("squall")

# Long tests come first, so that at the end no process works alone.
FOLDERS = ["scenarios/faults", "web", "histories", "scenarios", "compat", "api", "contract", "unit"]
HERE = Path(__file__).parent


STALLS = pytest.StashKey[Stalls]()


def pytest_configure(config: pytest.Config) -> None:
    """Measures from now on what holds event loops."""
    config.addinivalue_line("markers", "stalls(reason): what the test does may hold an event loop for over 100 ms")
    folder = tempfile.TemporaryDirectory(prefix="stalls-")
    config.add_cleanup(folder.cleanup)
    config.stash[STALLS] = Stalls(Path(folder.name) / "servers")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends it."""
    config.stash[STALLS].end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fails a test in which a callback took more than 100 ms of processor time, here or in a server.

    What fixtures did before does not count. `pytest.mark.stalls(reason)` exempts a test.
    """
    stalls = item.config.stash[STALLS]
    stalls.new()
    result = yield
    if (found := stalls.new()) and item.get_closest_marker("stalls") is None:
        pytest.fail("\n".join(found), pytrace=False)
    return result


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts tests by folder, slow folders first, and gives each a group: one process runs all tests of a group.

    The group is the test's file, or the server with a parameter that it shares with other files. A test that names its
    group itself (`pytest.mark.xdist_group`) keeps it. xdist reads the groups in the same hook, so this runs first.
    """

    @cache
    def rank(path: Path) -> int:
        place = _place(path)
        return next((number for number, folder in enumerate(FOLDERS) if place.startswith(f"{folder}/")), len(FOLDERS))

    items.sort(key=lambda item: rank(item.path))
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group_of(item)))


def group_of(item: pytest.Item) -> str:
    """The name of the group of a test that names none."""
    call = getattr(item, "callspec", None)
    if call is not None and "server" in call.params:
        return f"server {call.params['server']}"
    return _place(item.path)


@cache
def _place(path: Path) -> str:
    """The path of a file below this folder."""
    return path.relative_to(HERE).as_posix()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escapes lone surrogates in reports: text that has them cannot be sent from one process to another."""
    return escaped((yield))


def escaped(value: Any) -> Any:
    """The same value with `\\udce9` written out in every text of it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {escaped(key): escaped(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(escaped(each) for each in value)
    return value
