"""The run of a workflow in memory, and the cache of runs."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.execution.execution import Execution
from squall.core.workflow.conducting.conductor import Conductor
from squall.core.workflow.conducting.rerun import TaskRerun
from squall.ports import WorkflowRecord
from squall.services.workflow.expressions import Lookups

_MOST_LARGE, _MOST = 128, 1024
_SMALL = 32 << 10


class Run(msgspec.Struct):
    """The run of a workflow. `begins` is True before its first step; `result` (status, document) is set if the run
    ends without its conductor's result."""

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

    @property
    def ending(self) -> tuple[str, Any] | None:
        """The final status and the result of a run that is over; None while it goes on."""
        if self.result is None and self.conductor is not None and self.conductor.is_finished:
            return self.conductor.state.status, self.conductor.result()
        return self.result


class RunCache:
    """A cache of runs by execution. It holds the latest 128 runs, and up to 1024 if the older ones are small."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def get(self, execution_id: str) -> Run | None:
        """Returns the run of an execution; None if it is not in the cache."""
        return self._runs.get(execution_id)

    def drop(self, execution_id: str) -> None:
        """Removes a run."""
        self._runs.pop(execution_id, None)

    def add(self, execution_id: str, run: Run) -> None:
        """Adds a run, and removes older runs if there are too many."""
        self._runs[execution_id] = run
        while len(self._runs) > _MOST_LARGE:
            oldest, candidate = next(iter(self._runs.items()))
            del self._runs[oldest]
            if len(self._runs) < _MOST and _size(candidate) < _SMALL:
                # A small run moves to the end and becomes a candidate again after all others.
                self._runs[oldest] = candidate
                break


def _size(run: Run) -> int:
    """Returns the bytes of a run's stored state. In memory the run takes a few times as much."""
    return 0 if run.record is None else run.record.since + len(run.record.snapshot or b"")
