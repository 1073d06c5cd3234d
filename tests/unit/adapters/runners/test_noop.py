"""The runner that starts nothing."""

from __future__ import annotations

from squall.adapters.runners.noop import NoopRunner
from squall.core.execution.launch import Job, Outcome
from squall.testing.samples import sample_action, sample_execution, sample_runner


def test_every_job_succeeds_at_once_with_a_result_of_its_own() -> None:
    job = Job(
        execution=sample_execution(),
        action=sample_action(),
        runner_type=sample_runner("noop"),
        runner_parameters={},
        action_parameters={"a": 1},
        entry_point="",
        environment={},
    )
    expected = Outcome("succeeded", {"failed": False, "succeeded": True, "return_code": 0})
    first = NoopRunner().prepare(job)
    assert first == expected
    assert isinstance(first, Outcome)
    first.result["return_code"] = 5
    assert NoopRunner().prepare(job) == expected
