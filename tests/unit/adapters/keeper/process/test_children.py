"""Lives of children that take turns which few take."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from squall.adapters.keeper.families.cgroups import ActionGroups
from squall.adapters.keeper.families.processes import Census
from squall.adapters.keeper.process.child import Child
from squall.adapters.keeper.process.children import Children
from squall.adapters.keeper.process.life import State
from squall.adapters.keeper.process.loop import EpollLoop
from squall.adapters.keeper.process.writing.journals import Journals
from squall.testing.samples import NOON, sample_id, shell_spec
from squall.testing.waiting import PATIENCE

UNIT = sample_id(1)


class Kept:
    """Children on a loop of their own. `started` and `ended` are those whose process has been there, and has ended."""

    def __init__(self, home: Path) -> None:
        self.loop = EpollLoop()
        self.started: list[Child] = []
        self.ended: list[Child] = []
        self.waits: list[str] = []
        self.journals = Journals(home / "journals", bytes(16), 1, floor=0)
        self.children = Children(
            self.loop,
            self.journals,
            ActionGroups(None),
            home / "results",
            lambda: NOON,
            self.started.append,
            self.ended.append,
            lambda child: self.waits.append(child.wait_reason),
        )

    def until(self, done: Callable[[], object]) -> None:
        """Runs the loop until something has happened."""
        late = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < late
            # A turn ends with a wait for what comes next, which may be nothing.
            self.loop.call_later(0.01, lambda: None)
            self.loop._turn()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_child_that_is_called_off_before_it_is_there_is_stopped_as_soon_as_it_is(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Child] = []
    with monkeypatch.context() as slow:
        slow.setattr(kept.children._starter, "begin", waiting.append)
        kept.children.spawn(shell_spec("exec sleep 1000"))
        kept.children.cancel(UNIT)
        kept.children.cancel(UNIT)
    [child] = waiting
    assert child.state is State.CALLED_OFF
    kept.children._starter.begin(child)
    kept.until(lambda: kept.ended)
    assert kept.started == kept.ended == [child]
    assert (child.state, child.exit_code, child.canceled) == (State.ENDED, -15, True)


@pytest.mark.parametrize("canceled", [False, True])
def test_a_child_that_cannot_be_started_ends_without_having_been_there(kept: Kept, canceled: bool) -> None:
    kept.children.spawn(shell_spec("")._replace(argv=["/nowhere/at/all"]))
    if canceled:
        kept.children.cancel(UNIT)
    kept.until(lambda: kept.ended)
    [child] = kept.ended
    assert (kept.started, child.state, child.pid, child.canceled) == ([], State.ENDED, 0, canceled)
    assert "could not be started" in str(child.error)


def test_what_a_lingering_child_left_behind_is_ended_when_it_is_canceled(kept: Kept) -> None:
    kept.children.spawn(shell_spec("sleep 1000 & echo $!"))
    kept.until(lambda: kept.started and kept.started[0].state is State.LINGERING)
    kept.children.cancel(UNIT)
    assert kept.started[0].state is State.SWEEPING
    kept.until(lambda: kept.ended)
    [child] = kept.ended
    assert (child.exit_code, child.canceled, child.state) == (0, True, State.ENDED)
    assert child.family is not None
    assert child.family.living(Census()) == set()
    assert kept.children.running() == []


def test_a_limit_that_the_very_last_output_reaches_stops_what_is_left(kept: Kept) -> None:
    """A masker holds back what may be the start of a secret until its stream ends."""
    spec = shell_spec("printf aaaahunt", output_limit=4, limit_policy="fail", secrets=(b"hunter2",))
    kept.children.spawn(spec)
    kept.until(lambda: kept.ended)
    [child] = kept.ended
    assert (child.over_limit, child.stopped, child.state, child.stored[1]) == (True, True, State.ENDED, 4)


def test_a_child_that_exits_while_its_start_is_told_ends_like_any_other(kept: Kept) -> None:
    kept.children.spawn(shell_spec("exit 3"))
    os.waitid(os.P_PID, kept.started[0].pid, os.WEXITED | os.WNOWAIT)
    kept.until(lambda: kept.ended)
    assert (kept.ended[0].exit_code, kept.ended[0].state) == (3, State.ENDED)


@pytest.mark.parametrize("policy", ["truncate", "fail"])
def test_what_may_print_nothing_ends_though_its_journal_cannot_be_made(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    def full(tree: str, create: bool) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(kept.journals, "writer", full)
    kept.children.spawn(shell_spec("echo dropped", output_limit=0, limit_policy=policy))
    kept.until(lambda: kept.ended)
    assert (kept.ended[0].over_limit, kept.ended[0].last_record, kept.waits) == (True, 0, [])


def test_a_child_says_that_it_waits_for_a_disk_that_was_full_from_the_start_and_then_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tree: str, create: bool) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as disk:
        disk.setattr(kept.journals, "writer", full)
        kept.children.spawn(shell_spec("echo kept"))
        kept.until(lambda: kept.waits)
        assert kept.children.waiting() == {UNIT: "its output waits for the disk: no space"}
    kept.until(lambda: kept.ended)
    assert (kept.waits, kept.ended[0].stored[1]) == (["its output waits for the disk: no space", ""], 5)
