"""The runner `inquirer`: asks a person, and waits for the answer without a process."""

from __future__ import annotations

from squall.core.execution.execution import PENDING
from squall.core.execution.inquiry import check_question, question
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.ports import OutputText


class InquirerRunner:
    """`ports.Runner` whose executions stay pending; `services/execution/inquiries.py` ends them."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """The question. Raises `InvalidError` for a schema that no answer could fit."""
        check_question(job.runner_parameters.get("schema") or {})
        return Outcome(PENDING, question(job.runner_parameters))

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Never asked: nothing is started."""
        return Outcome(PENDING, question(job.runner_parameters))
