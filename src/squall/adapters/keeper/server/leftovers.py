"""What a keeper leaves that has died: processes to be killed, and ends that are known or lost."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path

from squall.adapters.keeper.families.cgroups import ActionGroup
from squall.adapters.keeper.families.processes import Family, kill_all
from squall.adapters.keeper.runlog import Key, read_log
from squall.core.execution.process import End

_LOG = logging.getLogger("squall.keeper")
_REAP_WITHIN = 1.0
_LOST = (
    "The keeper of this action's process ended before the action did; what was left of the action has been killed, "
    "and what it had done by then is not known."
)


def kill_leftovers(home: Path) -> None:
    """Kills what the dead keeper in `home` had started and not ended."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    families: dict[Family, Key] = {}
    groups: list[ActionGroup] = []
    for key, entry in read_log(home / "run.log").items():
        process = entry.process
        if entry.end is None and (process is None or process.boot == boot):
            group = ActionGroup(Path(process.group)) if process is not None and process.group else None
            # Killed between starting a process and saying so, a keeper leaves one that only its marker tells.
            pid, started = (process.pid, process.started) if process is not None else (0, 0)
            families[Family(pid, started, f"{key[0]}.{key[1]}", group)] = key
            groups += [group] if group is not None else []
    for family, left in kill_all(list(families)).items() if families else ():
        if left:
            _LOG.error("processes are left", extra={"execution": families[family][0], "pids": sorted(left)})
    for group in groups:
        group.remove()


def reap(pid: int) -> None:
    """Takes a keeper that has just ended off this process's hands, if it was started by it; waits a second at most."""
    until = time.monotonic() + _REAP_WITHIN
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < until:
            time.sleep(0.01)


def lost(key: Key) -> End:
    """Returns the end of what a dead keeper had started and not ended."""
    return End(execution=key[0], attempt=key[1], exit_code=-1, lost=_LOST)


def remove_stale(results: Path, held: set[Key]) -> None:
    """Removes the results of executions that are `held` no more: a server ended between keeping one and removing it."""
    names = {f"{execution}.{attempt}" for execution, attempt in held}
    for path in results.iterdir() if results.is_dir() else ():
        if path.name not in names:
            path.unlink(missing_ok=True)
