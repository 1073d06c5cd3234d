"""The runner `announcement`: sends an event to all clients of the event stream. The event is stored with the end of the
execution."""

from __future__ import annotations

from squall.core.errors import InvalidError
from squall.core.event.events import Announcement
from squall.core.execution.execution import SUCCEEDED
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText


class AnnouncementRunner:
    """`ports.Runner` that starts nothing."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the outcome with the announcement. Raises `InvalidError` if `experimental` is not set."""
        if not job.runner_parameters.get("experimental"):
            raise InvalidError('Parameter "experimental": must be true for announcements.')
        return Outcome(
            SUCCEEDED,
            {"output": job.action_parameters, **job.action_parameters},
            announcement=Announcement(str(job.runner_parameters.get("route") or "general"), job.action_parameters),
        )

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns a success. Never called, because this runner starts no process."""
        return Outcome(SUCCEEDED, {})
