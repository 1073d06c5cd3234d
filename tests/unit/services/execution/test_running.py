"""One claimed execution, from prepared to finished."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.doubles.assembly import LEASE, LIMITS, Assembly, scripted
from tests.doubles.scripted import ScriptedLauncher

from squall.core.execution.execution import Execution
from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.core.output import journal as codec
from squall.ports import Due, OutputText
from squall.services.execution.running import RunLimits, Running
from squall.testing.reading import printed, read_all
from squall.testing.samples import sample_action, sample_pack, sample_runner
from squall.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio


class OddRunner:
    """Does what nothing should do."""

    def __init__(self, prepared: LaunchSpec | Outcome | Exception) -> None:
        self.prepared = prepared
        self.jobs: list[Job] = []

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        self.jobs.append(job)
        if isinstance(self.prepared, Exception):
            raise self.prepared
        return self.prepared

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        raise AssertionError("nothing was started")


async def ran(squall: Assembly, *steps: tuple[str, bytes], running: Running | None = None, **end: Any) -> Outcome:
    """The outcome of an execution of `core.local` that prints these (stream, text), then ends."""
    _, execution, row = await squall.start()
    async with asyncio.TaskGroup() as group:
        run = group.create_task((running or squall.running).run(execution, row))
        spec = await scripted(squall).starting(execution.id)
        for stream, text in steps:
            scripted(squall).show(spec, text, stream)
        scripted(squall).end(spec, **end)
    return run.result()


async def test_an_execution_is_launched_as_it_was_requested(squall: Assembly) -> None:
    limits = RunLimits(output=777, policy="fail", result_output=1000)
    task, execution, row = await squall.start(parameters={"cmd": "echo x", "password": "hunter2"})
    async with asyncio.TaskGroup() as group:
        run = group.create_task(squall.make_running(limits).run(execution, row))
        spec = await scripted(squall).starting(execution.id)
        scripted(squall).end(spec)
    assert (spec.execution, spec.tree, spec.attempt, spec.timeout) == (execution.id, execution.tree, 1, 60.0)
    assert (spec.output_limit, spec.limit_policy, spec.secrets) == (777, "fail", (b"hunter2",))
    assert (msgspec.json.decode(spec.opening), spec.opened) == ({"status": "running"}, row)
    assert spec.opened_at == execution.log[-1].at
    assert spec.env == {
        "ST2_ACTION_API_URL": "http://x/v1",
        "ST2_ACTION_PACK_NAME": "core",
        "ST2_ACTION_EXECUTION_ID": execution.id,
        "ST2_ACTION_DEBUG": "False",
        "SQUALL_COMMAND": "echo x",
    }
    assert run.result().status == "succeeded"
    await squall.running.finish(task, execution, run.result())
    assert (await squall.executions.get(execution.id)).status == "succeeded"
    assert scripted(squall).acknowledged == [execution.id]


async def test_the_result_has_what_was_printed(squall: Assembly) -> None:
    outcome = await ran(squall, ("stdout", b"a\xf0\x9f"), ("stderr", b"oops\n"), ("stdout", b"\x8c\xa7\n"), exit_code=3)
    assert outcome.status == "failed"
    assert outcome.result == {
        "failed": True, "succeeded": False, "return_code": 3, "stdout": "a\U0001f327", "stderr": "oops"
    }  # fmt: skip
    assert set(outcome.used) == {"cpu_seconds", "peak_memory", "masked"}


async def test_the_result_of_an_execution_in_a_shared_tree_has_its_own_output_only(squall: Assembly) -> None:
    root = await squall.request()
    await squall.child_of(root)
    claimed = await squall.claim()
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(squall.running.run(execution, row)) for _, execution, row in claimed]
        specs = [await scripted(squall).starting(execution.id) for _, execution, _ in claimed]
        for _ in range(3):
            for number, spec in enumerate(specs):
                scripted(squall).show(spec, b"%d;" % number)
        for spec in specs:
            scripted(squall).end(spec)
    assert [run.result().result["stdout"] for run in runs] == ["0;0;0;", "1;1;1;"]


async def test_a_journal_is_opened_by_the_status_running_and_only_by_output(squall: Assembly) -> None:
    _, execution, row = await squall.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(squall.running.run(execution, row))
        spec = await scripted(squall).starting(execution.id)
        assert await read_all(squall.journal, execution.tree) == []
        scripted(squall).show(spec, b"x")
        scripted(squall).end(spec)
    first, second = await read_all(squall.journal, execution.tree)
    assert (first.kind, first.event) == (codec.STATUS, row)
    assert printed([second]) == b"x"


async def test_what_needs_no_process_starts_none(squall: Assembly) -> None:
    _, execution, row = await squall.start(action="core.noop")
    outcome = await squall.running.run(execution, row)
    assert outcome.status == "succeeded"
    assert scripted(squall).spawned == []


async def local_with(squall: Assembly, prepared: LaunchSpec | Outcome | Exception, **changes: Any) -> Outcome:
    """The outcome when the runner does this."""
    _, execution, row = await squall.start(**changes)
    running = squall.make_running(LIMITS, {"local-shell-cmd": OddRunner(prepared)})
    return await running.run(execution, row)


async def test_a_runner_that_breaks_fails_its_execution_with_the_error(squall: Assembly) -> None:
    outcome = await local_with(squall, ZeroDivisionError("so it is"))
    assert outcome.status == "failed"
    assert outcome.result["error"] == "so it is"
    assert "ZeroDivisionError" in outcome.result["traceback"]


async def test_what_is_wrong_with_an_execution_is_its_result(squall: Assembly) -> None:
    pack, actions = squall.source.packs[0]
    broken = sample_action("core.local", parameters={"cmd": {"default": "x"}, "n": {"type": "integer"}})
    squall.source.packs = [(pack, [broken, *actions[2:]])]
    await squall.registration.register()
    _, execution, row = await squall.start(parameters={})
    # What was checked when it was requested may have become wrong by the time it runs.
    spoiled = msgspec.structs.replace(execution, parameters={"n": "text"})
    outcome = await squall.running.run(spoiled, row)
    assert (outcome.status, outcome.result["traceback"]) == ("failed", "")
    assert "'text' is not of type 'integer'" in outcome.result["error"]


async def test_a_runner_that_is_not_there_or_disabled_is_told(squall: Assembly) -> None:
    pack, _ = squall.source.packs[0]
    squall.source.runners = [sample_runner(), sample_runner("odd", runner_parameters={})]
    squall.source.packs = [(pack, [sample_action("core.odd", runner_type="odd")])]
    await squall.registration.register()
    _, execution, row = await squall.start(action="core.odd")
    outcome = await squall.running.run(execution, row)
    assert outcome.result["error"] == 'This server has no runner "odd".'
    await squall.store.tx(lambda tx: tx.content.replace_runners([]))
    squall.source.runners = [sample_runner("odd", runner_parameters={}, enabled=False)]
    await squall.registration.register()
    outcome = await squall.running.run(execution, row)
    assert outcome.result["error"] == 'Runner "odd" has been disabled by the administrator.'


@pytest.mark.parametrize(
    ("entry_point", "expected"),
    [
        ("run.sh", "/packs/core/actions/run.sh"),
        ("/bin/run", "/bin/run"),
        ("", ""),
        ("sub/x", "/packs/core/actions/sub/x"),
    ],
)
async def test_an_entry_point_lies_in_the_packs_actions(squall: Assembly, entry_point: str, expected: str) -> None:
    squall.source.packs = [(sample_pack("core"), [sample_action("core.local", entry_point=entry_point)])]
    await squall.registration.register()
    runner = OddRunner(Outcome("succeeded", 1))
    _, execution, row = await squall.start()
    await squall.make_running(LIMITS, {"local-shell-cmd": runner}).run(execution, row)
    assert runner.jobs[0].entry_point == expected


async def test_the_runner_gets_its_own_parameters_and_the_action_the_rest(squall: Assembly) -> None:
    runner = OddRunner(Outcome("succeeded", 1))
    running = squall.make_running(LIMITS, {"local-shell-cmd": runner})
    _, execution, row = await squall.start(action="core.greet", parameters={"who": "ada"})
    await running.run(execution, row)
    assert runner.jobs[0].runner_parameters == {"cmd": "echo hello ada 60", "timeout": 60}
    assert runner.jobs[0].action_parameters == {"who": "ada"}


# -- taken up again


async def claimed_again(squall: Assembly) -> tuple[Due, Execution, int]:
    """The same execution, as a worker claims it whose predecessor is gone."""
    squall.clock.advance(LEASE / 1e6)
    (claimed,) = await squall.claim(owner="w2")
    return claimed


async def test_what_the_launcher_still_holds_is_not_started_again(squall: Assembly) -> None:
    _, execution, row = await squall.start()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(squall.running.run(execution, row))
        spec = await scripted(squall).starting(execution.id)
        _, again, row = await claimed_again(squall)
        second = group.create_task(squall.running.run(again, row))
        scripted(squall).show(spec, b"once")
        scripted(squall).end(spec)
    assert first.result() == second.result()
    assert len(scripted(squall).spawned) == 1


async def test_an_execution_never_runs_twice_though_its_first_worker_comes_back(squall: Assembly) -> None:
    old, execution, row = await squall.start()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(squall.running.run(execution, row))
        scripted(squall).end(await scripted(squall).starting(execution.id))
    new, again, row = await claimed_again(squall)
    await squall.running.finish(old, execution, first.result())
    async with asyncio.timeout(PATIENCE):
        outcome = await squall.running.run(again, row)
    await squall.running.finish(new, again, outcome)
    assert len(scripted(squall).spawned) == 1
    assert (await squall.executions.get(execution.id)).status == "succeeded"
    assert scripted(squall).held() == []


async def test_what_was_asked_to_stop_before_it_was_started_is_not_started(squall: Assembly) -> None:
    _, execution, _ = await squall.start()
    await squall.control.cancel(execution.id, "ada")
    task, again, row = await claimed_again(squall)
    outcome = await squall.running.run(again, row)
    await squall.running.finish(task, again, outcome)
    assert scripted(squall).spawned == []
    ended = await squall.executions.get(execution.id)
    assert (ended.status, ended.result["message"]) == ("canceled", "Action canceled by user.")


async def test_what_was_asked_to_stop_while_nobody_listened_is_stopped_when_it_is_taken_up(squall: Assembly) -> None:
    _, execution, row = await squall.start()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        first = group.create_task(squall.running.run(execution, row))
        await scripted(squall).starting(execution.id)
        await squall.control.cancel(execution.id, "ada")
        task, again, row = await claimed_again(squall)
        outcome = await squall.running.run(again, row)
        await first
    assert scripted(squall).canceled == [execution.id]
    await squall.running.finish(task, again, outcome)
    assert (await squall.executions.get(execution.id)).status == "canceled"


async def test_what_is_lost_is_abandoned_with_the_reason(squall: Assembly) -> None:
    outcome = await ran(squall, lost="the keeper is gone", exit_code=-1)
    assert outcome == Outcome("abandoned", {"error": "the keeper is gone"})


async def test_what_is_held_of_ended_executions_is_stopped_and_forgotten(squall: Assembly) -> None:
    task, ended, row = await squall.start()
    _, running, running_row = await squall.start()
    async with asyncio.TaskGroup() as group:
        runs = [
            group.create_task(squall.running.run(each, number))
            for each, number in ((ended, row), (running, running_row))
        ]
        await scripted(squall).starting(ended.id)
        spec = await scripted(squall).starting(running.id)
        await squall.finish(task, ended)
        await squall.running.settle()
        assert scripted(squall).canceled == [ended.id]
        assert scripted(squall).held() == [(running.id, 1)]
        scripted(squall).end(spec)
    assert all(run.done() for run in runs)


class StandingLauncher(ScriptedLauncher):
    """A launcher whose keeper stands still: it is told to cancel, and does not."""

    async def cancel(self, execution: str) -> None:
        self.canceled.append(execution)


IMPATIENT = msgspec.structs.replace(LIMITS, late_seconds=0.01)
SHORT = {"cmd": "true", "timeout": 0.01}


async def test_a_timeout_that_the_keeper_does_not_enforce_is_enforced_by_the_server(squall: Assembly) -> None:
    squall.source.runners[0].runner_parameters["timeout"] = {"type": "number"}
    await squall.registration.register()
    _, execution, row = await squall.start(parameters=SHORT)
    outcome = await squall.make_running(IMPATIENT).run(execution, row)
    assert scripted(squall).canceled == [execution.id]
    assert (outcome.status, outcome.result["return_code"]) == ("timeout", -9)


class StoppedServer(ScriptedLauncher):
    """A launcher of a server that is stopped when it waits for an end, and goes on long after all time-outs. It reads
    the message of the end, which came meanwhile, after the timers."""

    def __init__(self, root: Path, **end: Any) -> None:
        super().__init__(root)
        self._end = end
        self._stopped = False

    async def ended(self, execution: str) -> End:
        if not self._stopped:
            self._stopped = True
            spec = await self.starting(execution)
            time.sleep(0.05)
            asyncio.get_running_loop().call_later(0.001, lambda: self.end(spec, **self._end))
        return await super().ended(execution)


@pytest.mark.parametrize(("end", "status"), [({}, "succeeded"), ({"exit_code": 2}, "failed")])
async def test_a_process_that_ended_in_time_has_not_timed_out_although_the_server_stood_still(
    squall: Assembly, tmp_path: Path, end: dict[str, int], status: str
) -> None:
    squall.launcher = stopped = StoppedServer(tmp_path / "stopped", **end)
    squall.source.runners[0].runner_parameters["timeout"] = {"type": "number"}
    await squall.registration.register()
    _, execution, row = await squall.start(parameters=SHORT)
    outcome = await squall.make_running(msgspec.structs.replace(LIMITS, late_seconds=0.04)).run(execution, row)
    assert (outcome.status, stopped.canceled) == (status, [])


class CrossingLauncher(ScriptedLauncher):
    """A launcher whose process ends by itself, so many seconds after its start, just when it is told to cancel."""

    def __init__(self, root: Path, seconds: float) -> None:
        super().__init__(root)
        self._seconds = seconds

    async def cancel(self, execution: str) -> None:
        self.end(await self.starting(execution), wall_seconds=self._seconds)


@pytest.mark.parametrize(("seconds", "status"), [(0.005, "succeeded"), (0.5, "timeout")])
async def test_an_end_that_crosses_the_cancel_counts_by_the_time_that_the_process_took(
    squall: Assembly, tmp_path: Path, seconds: float, status: str
) -> None:
    squall.launcher = CrossingLauncher(tmp_path / "crossing", seconds)
    squall.source.runners[0].runner_parameters["timeout"] = {"type": "number"}
    await squall.registration.register()
    _, execution, row = await squall.start(parameters=SHORT)
    assert (await squall.make_running(IMPATIENT).run(execution, row)).status == status


async def test_an_execution_whose_keeper_does_not_answer_after_its_time_is_abandoned(
    squall: Assembly, tmp_path: Path
) -> None:
    squall.launcher = StandingLauncher(tmp_path / "standing")
    squall.source.runners[0].runner_parameters["timeout"] = {"type": "number"}
    await squall.registration.register()
    _, execution, row = await squall.start(parameters=SHORT)
    outcome = await squall.make_running(IMPATIENT).run(execution, row)
    assert outcome.status == "abandoned"
    assert "does not answer" in outcome.result["error"]


@pytest.mark.parametrize(("check", "status"), [(True, "failed"), (False, "succeeded")])
async def test_a_result_that_is_not_what_was_promised_fails_where_that_is_wanted(
    squall: Assembly, check: bool, status: str
) -> None:
    promised = {"type": "object", "properties": {"stdout": {"type": "integer"}}}
    squall.source.packs[0][1][1] = msgspec.structs.replace(squall.source.packs[0][1][1], output_schema=promised)
    await squall.registration.register()
    running = squall.make_running(msgspec.structs.replace(LIMITS, check_output=check))
    outcome = await ran(squall, ("stdout", b"text\n"), running=running, exit_code=0)
    assert outcome.status == status
    if check:
        assert "integer" in outcome.result["error"]
        assert outcome.result["message"] == "Error validating output. See error output for more details."
