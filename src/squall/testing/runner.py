# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract suite of runners. A test class derives from `RunnerContract`; its module has the fixtures `runner` (a
`ports.Runner`) and `job` (a `Job` of it that succeeds), and those of `squall.testing.launcher`, which start the
prepared processes.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from squall.core.execution.execution import CANCELED, FAILED, FINAL, SUCCEEDED, TIMEOUT
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.core.output import journal as codec
from squall.ports import Journal, Launcher, OutputText, Runner
from squall.testing.waiting import PATIENCE

RESULT_LIMIT = 1 << 20


async def texts(journal: Journal, job: Job, end: End) -> OutputText:
    """Returns the reader of a job's output that a runner gets."""
    records = await journal.read_last(job.execution.tree, end.last_record, {1: RESULT_LIMIT, 2: RESULT_LIMIT})

    def text(stream: str) -> tuple[str, int]:
        number = codec.STREAM_NUMBERS[stream]
        whole = b"".join(record.payload for record in records if record.stream == number)
        return whole.decode("utf-8", "replace"), 0

    return text


async def run_job(runner: Runner, job: Job, launcher: Launcher, journal: Journal) -> Outcome:
    """Prepares, starts and awaits a job like the server. Returns its outcome."""
    prepared = runner.prepare(job)
    if isinstance(prepared, Outcome):
        return prepared
    await launcher.spawn(prepared)
    async with asyncio.timeout(PATIENCE):
        end = await launcher.ended(prepared.execution)
    return runner.outcome(job, end, await texts(journal, job, end))


def nothing_printed(stream: str) -> tuple[str, int]:
    """Returns the `OutputText` of a process that printed nothing."""
    return "", 0


@pytest.mark.anyio
class RunnerContract:
    """The contract of `ports.Runner`."""

    async def test_a_job_that_works_succeeds(
        self, runner: Runner, job: Job, launcher: Launcher, journal: Journal
    ) -> None:
        """Its result is not empty: StackStorm counts an empty result as a failure."""
        outcome = await run_job(runner, job, launcher, journal)
        assert outcome.status == SUCCEEDED
        assert outcome.result

    async def test_a_result_is_a_json_value(
        self, runner: Runner, job: Job, launcher: Launcher, journal: Journal
    ) -> None:
        """The store and the API handle it as JSON."""
        outcome = await run_job(runner, job, launcher, journal)
        assert msgspec.json.decode(msgspec.json.encode(outcome.result)) == outcome.result

    async def test_preparing_is_repeatable_and_changes_nothing(self, runner: Runner, job: Job) -> None:
        """`prepare` only decides; the launcher starts the process."""
        before = msgspec.json.encode(job)
        assert runner.prepare(job) == runner.prepare(job)
        assert msgspec.json.encode(job) == before

    async def test_a_launch_belongs_to_its_execution_and_has_the_jobs_environment(
        self, runner: Runner, job: Job
    ) -> None:
        """Actions find their server and their execution in the environment."""
        prepared = runner.prepare(job)
        if isinstance(prepared, LaunchSpec):
            execution = job.execution
            assert (prepared.execution, prepared.tree, prepared.attempt) == (
                execution.id,
                execution.tree,
                execution.attempt,
            )
            assert job.environment.items() <= prepared.env.items()
        else:
            assert prepared.status in FINAL

    async def test_every_kind_of_end_has_its_status(self, runner: Runner, job: Job) -> None:
        """A cancel, a time-out and a failed start have different statuses."""
        if isinstance(runner.prepare(job), Outcome):
            return
        killed = End(execution=job.execution.id, attempt=job.execution.attempt, exit_code=-15)
        ends = {
            CANCELED: killed._replace(canceled=True),
            TIMEOUT: killed._replace(timed_out=True),
            FAILED: killed._replace(exit_code=-1, error="It could not be started: because"),
        }
        for status, end in ends.items():
            outcome = runner.outcome(job, end, nothing_printed)
            assert outcome.status == status
            assert outcome.result
        failed = runner.outcome(job, ends[FAILED], nothing_printed)
        assert "because" in str(failed.result)
