"""The runner `inquirer`: asks a person a question, and waits for the response without a process."""

from __future__ import annotations

from squall.core.execution.execution import PENDING
from squall.core.execution.inquiry import check_question, question
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText


class InquirerRunner:
    """`ports.Runner` whose executions stay pending; `services/execution/inquiries.py` ends them."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the question as a pending outcome. Raises `InvalidError` for a schema that no response can match."""
        check_question(job.runner_parameters.get("schema") or {})
        return Outcome(PENDING, question(job.runner_parameters))

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns the question as a pending outcome. Never called, because this runner starts no process."""
        return Outcome(PENDING, question(job.runner_parameters))
