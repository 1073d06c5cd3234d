"""Runs in memory: many small ones stay, large ones make room."""

from __future__ import annotations

from squall.ports import WorkflowRecord
from squall.services.workflow.run import Run, RunCache
from squall.testing.samples import sample_execution


def _run(number: int, stored: int) -> tuple[str, Run]:
    execution = sample_execution(number)
    return execution.id, Run(execution, WorkflowRecord(execution.id, "w", "d", since=stored))


def test_small_runs_stay_by_the_hundred_and_not_for_ever() -> None:
    runs = RunCache()
    ids = []
    for number in range(1, 1200):
        execution_id, run = _run(number, 1000)
        ids.append(execution_id)
        runs.add(execution_id, run)
    kept = [execution_id for execution_id in ids if runs.get(execution_id) is not None]
    assert 1000 <= len(kept) <= 1024
    assert ids[-1] in kept


def test_of_large_runs_only_those_begun_last_stay() -> None:
    runs = RunCache()
    ids = []
    for number in range(1, 300):
        execution_id, run = _run(number, 1 << 20)
        ids.append(execution_id)
        runs.add(execution_id, run)
    assert [execution_id for execution_id in ids if runs.get(execution_id) is not None] == ids[-128:]


def test_a_run_that_is_dropped_is_gone_and_may_be_dropped_again() -> None:
    runs = RunCache()
    execution_id, run = _run(1, 10)
    runs.add(execution_id, run)
    runs.drop(execution_id)
    runs.drop(execution_id)
    assert runs.get(execution_id) is None
