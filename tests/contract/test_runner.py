"""The runners, under their contract."""

from __future__ import annotations

from typing import Any

import pytest

from squall.adapters.runners.local import LocalRunner
from squall.adapters.runners.noop import NoopRunner
from squall.core.execution.launch import Job
from squall.ports import Runner
from squall.testing.runner import RunnerContract
from squall.testing.samples import sample_action, sample_execution, sample_runner


def job(**changes: Any) -> Job:
    known: dict[str, Any] = {
        "execution": sample_execution(1, attempt=1),
        "action": sample_action(),
        "runner_type": sample_runner(),
        "runner_parameters": {},
        "action_parameters": {},
        "entry_point": "",
        "environment": {"ST2_ACTION_EXECUTION_ID": "x"},
    }
    return Job(**(known | changes))


class TestNoopRunner(RunnerContract):
    @pytest.fixture
    def runner(self) -> Runner:
        return NoopRunner()

    @pytest.fixture
    def job(self) -> Job:
        return job(runner_type=sample_runner("noop", runner_parameters={}))


class TestLocalRunner(RunnerContract):
    @pytest.fixture
    def runner(self) -> Runner:
        return LocalRunner({"PATH": "/usr/bin:/bin"}, "", "/")

    @pytest.fixture
    def job(self) -> Job:
        return job(runner_parameters={"cmd": "echo it works", "timeout": 10})
