"""The runner `noop`: succeeds at once."""

from __future__ import annotations

from squall.core.execution.execution import SUCCEEDED
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText

_RESULT = {"failed": False, "succeeded": True, "return_code": 0}


class NoopRunner:
    """`ports.Runner` that starts nothing."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns a success for all parameters."""
        return Outcome(SUCCEEDED, dict(_RESULT))

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns a success. Never called, because this runner starts no process."""
        return Outcome(SUCCEEDED, dict(_RESULT))
