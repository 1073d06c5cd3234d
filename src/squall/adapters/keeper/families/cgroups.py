"""One cgroup (v2) per action, if this process may create cgroups. No process of an action can leave its cgroup.

`base_of` returns the folder that a service manager has delegated. Below it, every action has a folder of its own as
long as one of its processes lives. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

OFF = "off"
AUTO = "auto"
_FOLDER = "squall-actions"
# systemd marks a cgroup that it has delegated. A cgroup without the mark belongs to another program, even if it is
# writable.
_DELEGATED = ("user.delegate", "trusted.delegate")


class ActionGroup:
    """One action's cgroup, a folder that exists until `remove` succeeds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, pid: int) -> None:
        """Moves a process into the cgroup. Its later children start there. Raises `OSError`."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> set[int]:
        """Returns the pids of its processes and of those in cgroups below it. Zombies may be among them."""
        pids: set[int] = set()
        for folder, _, files in os.walk(self.folder):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    pids.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
        return pids

    def kill(self) -> None:
        """Kills all its processes at once, also those of other users. Needs Linux 5.14; does nothing on older kernels,
        where `kill_all` signals the processes one by one."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def usage(self) -> tuple[float, int]:
        """Returns the CPU seconds and the peak memory (bytes) of all its processes together; 0 if the kernel does not
        count them."""
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
        """Removes the cgroup with those below it. Returns False if a process is left in them."""
        for folder, _, _ in os.walk(self.folder, topdown=False):
            try:
                os.rmdir(folder)  # noqa: PTH106 - os.walk gives text
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


class ActionGroups:
    """Creates the cgroups of actions below `base`, a cgroup's folder. Creates none if `base` is None."""

    def __init__(self, base: Path | None) -> None:
        self._base = base / _FOLDER if base is not None else None
        self._occupied: list[ActionGroup] = []
        if self._base is not None and base is not None:
            try:
                self._base.mkdir(exist_ok=True)
            except OSError:
                self._base = None
                return
            for old in self._base.iterdir():
                # These are cgroups of dead keepers. One that still has a process stays.
                if old.is_dir():
                    ActionGroup(old).remove()
            for folder in (base, self._base):
                # The kernel refuses this if a process lives in the cgroup itself; then it does not count memory.
                for controller in ("memory", "cpu", "pids"):
                    with contextlib.suppress(OSError):
                        (folder / "cgroup.subtree_control").write_text(f"+{controller}")

    def make(self, name: str) -> ActionGroup | None:
        """Creates the cgroup of a new action. Returns None if cgroups are off or it cannot be created."""
        if self._base is None:
            return None
        folder = self._base / name
        try:
            folder.mkdir()
        except OSError:
            return None
        return ActionGroup(folder)

    def forget(self, group: ActionGroup) -> None:
        """Removes the cgroup of an action that has ended. If it still has processes, a later call removes it."""
        self._occupied = [each for each in (*self._occupied, group) if not each.remove()]


def base_of(setting: str) -> Path | None:
    """Returns the folder for the cgroups of actions: the one that `setting` names, or, if it is AUTO, the one that the
    service manager has delegated to this process. Returns None if there is none."""
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
    """Returns the highest of `own` and the cgroups above it that is marked as delegated; None if none is."""
    highest = None
    for folder in (own, *own.parents) if own is not None else ():
        if _is_marked(folder):
            highest = folder
        elif highest is not None:
            break
    return highest


def folder_of(mounts: list[str], own: list[str]) -> Path | None:
    """Returns the folder of a process's cgroup (v2), from the lines of its `mountinfo` and `cgroup`; None if it has
    none."""
    path = next((line.removeprefix("0::") for line in own if line.startswith("0::")), None)
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        if path is not None and rest.startswith("cgroup2 "):
            root, mounted = fields.split()[3:5]
            if root == "/" or path == root or path.startswith(root + "/"):
                return Path(mounted + path.removeprefix(root.rstrip("/")))
    return None


def _is_marked(folder: Path) -> bool:
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False
