"""The runner `noop`: succeeds at once."""

from __future__ import annotations

from squall.core.execution.execution import SUCCEEDED
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_RESULT = {"failed": False, "succeeded": True, "return_code": 0}


class NoopRunner:
    """`ports.Runner` that starts nothing."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """The outcome, whatever the parameters are."""
        return Outcome(SUCCEEDED, dict(_RESULT))

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Never asked: nothing is started."""
        return Outcome(SUCCEEDED, dict(_RESULT))
