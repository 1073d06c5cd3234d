"""The takeover of a dead keeper: kills its processes, and gives its unfinished launches an end."""

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
    """Kills the processes of launches in the run log of the dead keeper in `home` that have no end."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    families: dict[Family, Key] = {}
    groups: list[ActionGroup] = []
    for key, entry in read_log(home / "run.log").items():
        process = entry.process
        if entry.end is None and (process is None or process.boot == boot):
            group = ActionGroup(Path(process.group)) if process is not None and process.group else None
            # A keeper that died before it logged the pid leaves a process that only its marker identifies.
            pid, started = (process.pid, process.started) if process is not None else (0, 0)
            families[Family(pid, started, f"{key[0]}.{key[1]}", group)] = key
            groups += [group] if group is not None else []
    for family, survivors in kill_all(list(families)).items() if families else ():
        if survivors:
            _LOG.error(
                "processes of a dead keeper could not be killed",
                extra={"execution": families[family][0], "pids": sorted(survivors)},
            )
    for group in groups:
        group.remove()


def reap(pid: int) -> None:
    """Waits for the exit of a keeper that has just ended, for a second at most. Does nothing if another process started
    it."""
    deadline = time.monotonic() + _REAP_WITHIN
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)


def lost(key: Key) -> End:
    """Returns the end of a launch that a dead keeper started and did not end."""
    return End(execution=key[0], attempt=key[1], exit_code=-1, lost=_LOST)


def remove_stale(results: Path, held: set[Key]) -> None:
    """Deletes the results of launches that are not in `held`. A server that dies before it deletes a result leaves
    one."""
    names = {f"{execution}.{attempt}" for execution, attempt in held}
    for path in results.iterdir() if results.is_dir() else ():
        if path.name not in names:
            path.unlink(missing_ok=True)
