"""A cgroup (v2) for each action, where this process may make some: nothing of an action can leave it.

`base_of` finds the folder that a service manager has delegated; below it, every action has a folder of its own for as
long as one of its processes lives. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

OFF = "off"
AUTO = "auto"
_FOLDER = "squall-actions"
# systemd marks what it has handed over; without that mark a cgroup is somebody else's, whoever may write to it.
_DELEGATED = ("user.delegate", "trusted.delegate")


class ActionGroup:
    """One action's cgroup, a folder that exists until `remove` succeeds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, pid: int) -> None:
        """Moves a process in; what it starts from now on is born there. Raises `OSError`."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> set[int]:
        """Its processes, those in groups that they made below it too; zombies may be among them."""
        found: set[int] = set()
        for place, _, files in os.walk(self.folder):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    found.update(map(int, Path(place, "cgroup.procs").read_text().split()))
        return found

    def kill(self) -> None:
        """Kills all of them at once, whoever they run as (Linux 5.14; before that, they are signalled one by one)."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def usage(self) -> tuple[float, int]:
        """CPU seconds and the most bytes of memory of all of them together; 0 where the kernel does not count."""
        cpu, memory = 0.0, 0
        with contextlib.suppress(OSError, ValueError):
            for line in (self.folder / "cpu.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "usage_usec":
                    cpu = int(value) / 1e6
        with contextlib.suppress(OSError, ValueError):
            memory = int((self.folder / "memory.peak").read_text())
        return cpu, memory

    def remove(self) -> bool:
        """Removes it with the groups below it; false while a process is left."""
        for place, _, _ in os.walk(self.folder, topdown=False):
            try:
                os.rmdir(place)  # noqa: PTH106 - os.walk gives text
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


class ActionGroups:
    """Makes the groups of actions below `base`, a cgroup's folder. None are made when `base` is None."""

    def __init__(self, base: Path | None) -> None:
        self._base = base / _FOLDER if base is not None else None
        self._left: list[ActionGroup] = []
        if self._base is not None and base is not None:
            try:
                self._base.mkdir(exist_ok=True)
            except OSError:
                self._base = None
                return
            for old in self._base.iterdir():
                # Of keepers that are gone; one with a process in it stays.
                if old.is_dir():
                    ActionGroup(old).remove()
            for folder in (base, self._base):
                # Refused where a process lives in the group itself: then its memory is not counted.
                for controller in ("memory", "cpu", "pids"):
                    with contextlib.suppress(OSError):
                        (folder / "cgroup.subtree_control").write_text(f"+{controller}")

    def make(self, name: str) -> ActionGroup | None:
        """A group for a new action; None where there are none or it cannot be made."""
        if self._base is None:
            return None
        folder = self._base / name
        try:
            folder.mkdir()
        except OSError:
            return None
        return ActionGroup(folder)

    def forget(self, group: ActionGroup) -> None:
        """Removes a group whose action is through; one that still has processes when the last of them has gone."""
        self._left = [one for one in (*self._left, group) if not one.remove()]


def base_of(setting: str) -> Path | None:
    """The folder that actions' groups may be made in: the one that `setting` names, or with AUTO the one delegated to
    this process by its service manager. None where there is none."""
    if setting == OFF:
        return None
    if setting != AUTO:
        return Path(setting)
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        own = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    return delegated(folder_of(mounts, own))


def delegated(own: Path | None) -> Path | None:
    """The highest of `own` and the cgroups above it that is marked as delegated."""
    found = None
    for folder in (own, *own.parents) if own is not None else ():
        if _marked(folder):
            found = folder
        elif found is not None:
            break
    return found


def folder_of(mounts: list[str], own: list[str]) -> Path | None:
    """Where a process's cgroup of version 2 is mounted, from its `mountinfo` and `cgroup`."""
    path = next((line.removeprefix("0::") for line in own if line.startswith("0::")), None)
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        if path is not None and rest.startswith("cgroup2 "):
            root, mounted = fields.split()[3:5]
            if root == "/" or path == root or path.startswith(root + "/"):
                return Path(mounted + path.removeprefix(root.rstrip("/")))
    return None


def _marked(folder: Path) -> bool:
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False
