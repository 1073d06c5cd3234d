"""Fork servers of our own programs, whose imports take longer than their work.

`python -P -m squall.adapters.runners.forked MODULE SOCKET` imports the module once. For each request of the keeper, it
forks a fresh process that runs the module's `main` (see `compat/squall_forks.py`).
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from squall import __version__
from squall.core.execution.launch import ForkServer, Job, LaunchSpec

COMPAT = Path(__file__).parents[2] / "compat"


def fork_server(module: str, idle: float) -> ForkServer | None:
    """Returns the fork server of a program. It ends after `idle` seconds without a request; 0 returns None: the program
    has no fork server."""
    if not idle:
        return None
    spec = find_spec(module)
    changed = Path(spec.origin).stat().st_mtime_ns if spec is not None and spec.origin is not None else 0
    return ForkServer(
        name=module,
        stamp=f"{__version__} {changed} {sys.executable}",
        argv=[sys.executable, "-P", "-m", __name__, module],
        idle=idle,
    )


class OwnProgram:
    """A program of our own that runs jobs: the module `module`, with the environment `env`. `idle` is that of
    `fork_server`."""

    def __init__(self, module: str, env: dict[str, str], idle: float) -> None:
        self._module = module
        self._env = env
        self._fork_server = fork_server(module, idle)

    def launch(
        self, job: Job, document: Mapping[str, Any], *, timeout: float | None, result_limit: int, tagged: bool = False
    ) -> LaunchSpec:
        """Returns the launch of the program, which reads `document` as JSON. The program limits the time of its work
        itself: `timeout` (seconds) ends one that hangs. The last two are those of `LaunchSpec`."""
        return LaunchSpec(
            execution=job.execution.id,
            tree=job.execution.tree,
            attempt=job.execution.attempt,
            argv=[sys.executable, "-P", "-m", self._module],
            env=self._env,
            stdin=json.dumps(document).encode(),
            timeout=timeout,
            tagged=tagged,
            result_limit=result_limit,
            fork_server=self._fork_server,
        )


def main(module: str, socket: int) -> int:
    """Serves until the keeper is gone. In a process forked for a job, runs the job and returns its exit status."""
    sys.path.append(str(COMPAT))
    forks = importlib.import_module("squall_forks")
    program = importlib.import_module(module)

    def ready() -> None:
        if hasattr(program, "trusted"):
            program.trusted()
        gc.collect()
        gc.freeze()

    order: bytes | None = forks.serve(socket, ready)
    return 0 if order is None else int(program.main(order))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
