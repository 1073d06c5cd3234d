"""A workflow on its way, as it is in memory, and those that stay there."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.execution.execution import Execution
from squall.core.workflow.conducting.conductor import Conductor
from squall.core.workflow.conducting.rerun import TaskRerun
from squall.ports import WorkflowRecord
from squall.services.workflow.expressions import Lookups

_FEW, _KEPT = 128, 1024
_SMALL = 32 << 10


class Run(msgspec.Struct):
    """A workflow on its way. `begins` before its first step; `result` (status, document) when it ends without one."""

    execution: Execution
    record: WorkflowRecord | None = None
    conductor: Conductor | None = None
    lookups: Lookups | None = None
    text: str | None = None
    inputs: dict[str, Any] = {}
    context: dict[str, Any] = {}
    reruns: list[TaskRerun] | None = None
    reset: list[str] = []
    changes: dict[str, Execution] = {}
    secret: bool = False
    begins: bool = False
    is_chain: bool = False
    result: tuple[str, Any] | None = None


class KeptRuns:
    """Runs by execution. Those begun last stay, and many more of them as long as they are small."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def get(self, execution_id: str) -> Run | None:
        """The run of an execution, if it is here."""
        return self._runs.get(execution_id)

    def drop(self, execution_id: str) -> None:
        """Forgets a run."""
        self._runs.pop(execution_id, None)

    def add(self, execution_id: str, run: Run) -> None:
        """Keeps a run, and forgets others where it is time."""
        self._runs[execution_id] = run
        while len(self._runs) > _FEW:
            oldest, kept = next(iter(self._runs.items()))
            del self._runs[oldest]
            if len(self._runs) < _KEPT and _size(kept) < _SMALL:
                # It is looked at again when all others have been.
                self._runs[oldest] = kept
                break


def _size(run: Run) -> int:
    """The bytes that are stored of a run's state: what it takes in memory is some times that."""
    return 0 if run.record is None else run.record.since + len(run.record.snapshot or b"")
