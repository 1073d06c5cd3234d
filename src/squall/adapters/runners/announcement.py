"""The runner `announcement`: tells everybody who listens to the event stream. The event is written with its end."""

from __future__ import annotations

from squall.core.errors import InvalidError
from squall.core.execution.execution import SUCCEEDED
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText


class AnnouncementRunner:
    """`ports.Runner` that starts nothing."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """The outcome, whose result is what is told. Raises `InvalidError` when `experimental` is not set."""
        if not job.runner_parameters.get("experimental"):
            raise InvalidError('Parameter "experimental": must be true for announcements.')
        return Outcome(
            SUCCEEDED,
            {"output": job.action_parameters, **job.action_parameters},
            announces=str(job.runner_parameters.get("route") or "general"),
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Never asked: nothing is started."""
        return Outcome(SUCCEEDED, {})
