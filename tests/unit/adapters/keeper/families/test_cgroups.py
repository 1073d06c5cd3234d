"""Cgroups of actions: found only where they were delegated, and real ones where this machine lets tests make some."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from squall.adapters.clock import SystemClock
from squall.adapters.keeper.families import cgroups
from squall.adapters.keeper.families.cgroups import ActionGroup, ActionGroups, base_of, delegated
from squall.adapters.keeper.server.remote import KeeperLauncher
from squall.core.execution.launch import LaunchSpec
from squall.testing.samples import sample_id
from squall.testing.waiting import eventually

pytestmark = pytest.mark.anyio

ONE = sample_id(1)
# Forked twice, in a new session, without its environment: nothing but the cgroup tells whose it is.
HIDES = "env -i setsid sh -c '(exec setsid sleep 7777 >/dev/null 2>&1 <&- &) ; echo $$'; echo hidden; exec sleep 7777"


def unified() -> Path:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return Path(fields.split()[4])
    pytest.skip("no cgroup file system of version 2 is mounted here")


@pytest.fixture
def base() -> Iterator[Path]:
    """A cgroup of the test's own."""
    place = unified() / f"squall-test-{os.getpid()}"
    try:
        place.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        yield place
    finally:
        ActionGroup(place).kill()
        for _ in range(200):
            if ActionGroup(place).remove():
                break
            os.sched_yield()


@pytest.fixture
async def launcher(tmp_path: Path, base: Path) -> AsyncIterator[KeeperLauncher]:
    (tmp_path / "journals").mkdir()
    made = KeeperLauncher(
        tmp_path / "keepers", tmp_path / "journals", SystemClock(), floor=0, fsync_seconds=0.05, cgroup=str(base)
    )
    await made.start()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


def spec(command: str) -> LaunchSpec:
    return LaunchSpec(execution=ONE, tree=ONE, attempt=1, argv=["/bin/sh", "-c", command], env=dict(os.environ))


async def until_printed(journal: Path, wanted: bytes) -> None:
    await eventually(
        lambda: any(wanted in path.read_bytes() for path in journal.glob("*/*.journal")), f"{wanted!r} is printed"
    )


async def test_a_process_that_left_session_environment_and_parent_is_killed_with_its_action(
    launcher: KeeperLauncher, base: Path, tmp_path: Path
) -> None:
    await launcher.spawn(spec(HIDES))
    await until_printed(tmp_path / "journals", b"hidden")
    folder = base / "squall-actions" / f"{ONE}.1"
    pids = ActionGroup(folder).pids()
    assert len(pids) >= 2
    await launcher.cancel(ONE)
    end = await launcher.ended(ONE)
    assert end.canceled
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not folder.exists()


async def test_an_action_in_a_group_has_its_environment_and_its_terminal(
    launcher: KeeperLauncher, tmp_path: Path
) -> None:
    odd = {"PATH": os.environ["PATH"], "with.dot": "a b", "PLAIN": "c"}
    await launcher.spawn(
        LaunchSpec(execution=ONE, tree=ONE, attempt=1, argv=["env"], env=odd, umask=0o077, limits={"open_files": 90})
    )
    assert (await launcher.ended(ONE)).exit_code == 0
    await until_printed(tmp_path / "journals", b"with.dot=a b\n")
    two = sample_id(2)
    command = ["/bin/sh", "-c", "test -t 0 && stty size"]
    await launcher.spawn(LaunchSpec(execution=two, tree=two, attempt=1, argv=command, env=odd, pty=(33, 44)))
    assert (await launcher.ended(two)).exit_code == 0
    await until_printed(tmp_path / "journals", b"33 44")


async def test_a_program_that_is_not_there_is_told_as_without_a_group(launcher: KeeperLauncher, base: Path) -> None:
    await launcher.spawn(LaunchSpec(execution=ONE, tree=ONE, attempt=1, argv=["no-such-program"], env={}))
    end = await launcher.ended(ONE)
    assert "No such file" in str(end.error)
    assert not (base / "squall-actions" / f"{ONE}.1").exists()


async def test_what_an_action_used_is_that_of_all_its_processes(launcher: KeeperLauncher) -> None:
    # A process that nobody waits for is in nobody's account but the cgroup's.
    busy = "setsid sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo through' & sleep 0.01; read x <&1"
    await launcher.spawn(spec(f"({busy}) 2>/dev/null; wait"))
    end = await launcher.ended(ONE)
    assert end.cpu_seconds > 0.05


async def test_a_group_whose_action_left_a_process_goes_when_that_has_gone(base: Path) -> None:
    groups = ActionGroups(base)
    first = groups.make("first")
    second = groups.make("second")
    assert first is not None
    assert second is not None
    child = os.posix_spawn("/bin/sleep", ["sleep", "7777"], os.environ)
    first.take(child)
    groups.forget(first)
    assert first.folder.exists()
    first.kill()
    os.waitpid(child, 0)
    groups.forget(second)
    assert not first.folder.exists()
    assert not second.folder.exists()


def test_groups_of_keepers_that_are_gone_are_removed(base: Path) -> None:
    left = ActionGroups(base).make("left")
    assert left is not None
    ActionGroups(base)
    assert not left.folder.exists()


def test_without_delegation_there_are_no_groups(tmp_path: Path) -> None:
    assert delegated(tmp_path) is None
    assert delegated(None) is None
    assert base_of("off") is None
    assert ActionGroups(None).make("any") is None
    assert ActionGroups(tmp_path / "nowhere").make("any") is None


def test_the_highest_delegated_group_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = tmp_path / "system.slice" / "squall.service"
    marked = {unit, unit / "server"}

    def read(path: Path, name: str) -> bytes:
        if name == "user.delegate" and path in marked:
            return b"1"
        raise OSError

    monkeypatch.setattr(os, "getxattr", read)
    assert delegated(unit / "server") == unit
    assert delegated(unit) == unit
    assert delegated(unit.parent) is None


@pytest.mark.parametrize(
    ("mount", "own", "found"),
    [
        ("30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "0::/a.slice/b", "/sys/fs/cgroup/a.slice/b"),
        ("30 29 0:26 / /sys/fs/cgroup/unified rw - cgroup2 x rw", "0::/", "/sys/fs/cgroup/unified"),
        ("30 29 0:26 /box /sys/fs/cgroup rw - cgroup2 x rw", "0::/box/in", "/sys/fs/cgroup/in"),
        ("30 29 0:26 /box /sys/fs/cgroup rw - cgroup2 x rw", "0::/other", None),
        ("30 29 0:26 / /sys/fs/cgroup rw - cgroup cgroup rw,cpu", "0::/a", None),
        ("30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "4:memory:/a", None),
    ],
)
def test_the_folder_of_a_cgroup_is_read_from_mounts(mount: str, own: str, found: str | None) -> None:
    assert cgroups.folder_of([mount], [own]) == (Path(found) if found else None)
