"""The servers that tests share. A folder's conftest imports what its tests need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenarios.live.pack import write_pack
from tests.scenarios.live.server import Server, serving

QUICK = {
    "SQUALL_STREAM_HEARTBEAT_SECONDS": "0.5",
    # Nothing is left behind when the tests are over.
    "SQUALL_SERVER_STOP_ACTIONS": "true",
    "SQUALL_SERVER_SHUTDOWN_GRACE_SECONDS": "0",
}


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the test pack."""
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder)
    return folder


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """One server for everybody who does not care which."""
    with serving(tmp_path_factory.mktemp("plain"), packs, env=QUICK) as server:
        yield server


@pytest.fixture(scope="session", params=["inproc", "deaf"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """A server whose hints arrive, and one whose hints are all lost."""
    env = {**QUICK, "SQUALL_BUS_KIND": request.param}
    with serving(tmp_path_factory.mktemp(request.param), packs, env=env) as found:
        yield found
