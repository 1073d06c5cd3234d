"""kill -9 at named points of the code, and a clock that jumps: nothing is lost, nothing runs twice."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.scenarios.faults.failpoints import CLOCK_OFFSET, FAILPOINT, KEEPERS, SERVER
from tests.scenarios.faults.mortal import Mortal
from tests.scenarios.faults.test_moments import outcome
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

from squall.core.timestamp import from_iso
from squall.testing.waiting import until

PROGRAM = [sys.executable, str(Path(__file__).with_name("failpoints.py"))]
HOUR = 3600
AT_ONCE = 3


class Armed(Mortal):
    """A server, and keepers, that die where they are told to."""

    def __init__(self, home: Path, packs: Path, **env: str) -> None:
        self.point, self.offset = home / "failpoint", home / "offset"
        super().__init__(home, packs, env={FAILPOINT: str(self.point), CLOCK_OFFSET: str(self.offset), **env})
        self.program = PROGRAM

    def die_at(self, point: str) -> None:
        """Arms a point."""
        fresh = self.home / "fresh"
        fresh.write_text(point)
        fresh.replace(self.point)

    def died(self) -> bool:
        """Whether the point was reached."""
        return not self.point.exists()

    def jump(self, seconds: int) -> None:
        """Sets the clock of the server and its keepers so far ahead."""
        fresh = self.home / "fresh"
        fresh.write_text(str(seconds))
        fresh.replace(self.offset)


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory, fault_packs: Path) -> Iterator[Armed]:
    server = Armed(tmp_path_factory.mktemp("failpoints"), fault_packs)
    try:
        server.start()
        yield server
    finally:
        server.leave_nothing()


def server_dies(armed: Armed, point: str) -> None:
    armed.die_at(point)
    folders = [armed.folder() for _ in range(AT_ONCE)]
    executions = []
    for folder in folders:
        try:
            executions.append((armed.request("faults.once", folder=str(folder)), folder))
        except (OSError, HTTPException):
            # The first one has reached the point already.
            break
    assert executions
    until(armed.died, point)
    armed.wait()
    armed.again()
    assert {outcome(armed, *pair) for pair in executions} == {"failed"}


def keeper_dies(armed: Armed, point: str) -> None:
    armed.die_at(point)
    folders = [armed.folder() for _ in range(AT_ONCE)]
    executions = [(armed.request("faults.once", folder=str(folder)), folder) for folder in folders]
    until(armed.died, point)
    assert {outcome(armed, *pair) for pair in executions} <= {"failed", "abandoned"}
    # What comes next has a new keeper.
    folder = armed.folder()
    assert outcome(armed, armed.request("faults.once", folder=str(folder)), folder) == "failed"


@pytest.mark.parametrize("point", SERVER)
def test_actions_run_once_and_whole_when_the_server_dies_when(armed: Armed, point: str) -> None:
    server_dies(armed, point)


@pytest.mark.parametrize("point", KEEPERS)
def test_actions_end_with_their_outcome_or_a_reason_when_the_keeper_dies_when(armed: Armed, point: str) -> None:
    keeper_dies(armed, point)


def test_a_clock_that_jumps_an_hour_both_ways_loses_nothing_and_times_nothing_out(armed: Armed) -> None:
    copy = Copy(armed.folder())
    execution = armed.request("faults.writer", folder=str(copy.folder), seed=3, wait=True, pause=0.003, timeout=600)
    viewers = [Viewer(armed, execution, copy, 1), Viewer(armed, execution, copy, 2, leaves=True)]
    until(copy.size, "the writer prints")
    for offset in (HOUR, -HOUR, 0):
        armed.jump(offset)
        copy.grows(50_000)
        # What begins, ends and times out meanwhile does so in its own time.
        document = armed.ended(armed.shell("echo meanwhile"))
        assert document["result"]["stdout"] == "meanwhile"
        assert abs(from_iso(document["start_timestamp"], "start") / 1e6 - time.time() - offset) < 60
        timed = armed.shell("exec sleep 7777", timeout=1)
        if offset:
            armed.kill()
            armed.again()
        assert armed.ended(timed)["status"] == "timeout"
    viewers.append(Viewer(armed, execution, copy, 3))
    copy.stop()
    check_all(armed, execution, copy, viewers)
    assert armed.ended(execution)["status"] == "succeeded"
    assert copy.starts == 1
