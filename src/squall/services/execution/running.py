"""Runs one claimed execution: prepares it, launches its process, waits for the end, and stores the outcome."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import Any, ParamSpec, Protocol, TypeVar

import msgspec

from squall.core.content.action import CONFIGURED_RUNNERS, Action, OutputLimit, Pack, RunnerType, split_parameters
from squall.core.content.output_schema import checked_output
from squall.core.content.pack_config import PackConfig
from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.execution.launch import End, LaunchSpec, Outcome
from squall.core.execution.launch import Job as RunnerJob
from squall.core.output.accounts import Account
from squall.ports import Due, Journal, Launcher, Runner
from squall.services.content.content import Content
from squall.services.content.pack_configs import PackConfigs
from squall.services.execution.binding import MASKED_MOST, Binding
from squall.services.execution.claims import Claims
from squall.services.holdups import Holdups
from squall.services.output.printed import PrintedText

_LOG = logging.getLogger("squall.running")
_SETTLED = 500
_LARGE = 1 << 20
_PIECES = 10
P = ParamSpec("P")
T = TypeVar("T")


class RunLimits(msgspec.Struct, frozen=True):
    """The limits of one execution. `output`: bytes that it may print; `policy`: what happens beyond them (`truncate`,
    `fail`, `unlimited`); `result_output`: bytes of each stream in its result; `umask` and `processes`: see
    `LaunchSpec.umask` and `LaunchSpec.limits`.

    `late_seconds`: the time a keeper has to end a process after its time-out; `check_output`: a result must fit the
    action's output schema."""

    output: int
    policy: str
    result_output: int
    umask: int | None = None
    processes: dict[str, int] = {}
    late_seconds: float = 10.0
    check_output: bool = False


class ActionTokens(Protocol):
    """The tokens of actions: each opens the API in its user's name while the action runs."""

    def offer(self, execution: str) -> str:
        """Returns a new token for an execution. It opens nothing before `grant`."""
        ...

    async def grant(self, token: str, user: str, timeout: float | None, execution: str) -> bool:
        """Gives a token the rights of `user` until a little after `timeout` (seconds; None: the action has none).
        Returns whether the token is a secret."""
        ...

    async def revoke_tokens_of(self, execution: str) -> None:
        """Revokes the tokens of an execution."""
        ...


class Running:
    """Runs executions with `runners` (by runner type's name). `url` is the address of the API.

    `configs` are those of packs. `tokens` issues the tokens with which executions call the API (None: they get none).
    `holdups` are told what waits for the machine.
    """

    def __init__(
        self,
        claims: Claims,
        binding: Binding,
        content: Content,
        launcher: Launcher,
        journal_port: Journal,
        runners: Mapping[str, Runner],
        limits: RunLimits,
        environment: Mapping[str, str],
        url: str,
        configs: PackConfigs | None = None,
        tokens: ActionTokens | None = None,
        holdups: Holdups | None = None,
    ) -> None:
        self._claims = claims
        self._binding = binding
        self._content = content
        self._launcher = launcher
        self._printed = PrintedText(journal_port, launcher, limits.result_output, url)
        self._runners = runners
        self._limits = limits
        self._environment = environment
        self._configs = configs
        self._tokens = tokens
        self._holdups = holdups or Holdups()

    def runners(self) -> Collection[str]:
        """Returns the names of the runner types that have a runner here."""
        return self._runners.keys()

    async def run(self, execution: Execution, row: int) -> Outcome:
        """Runs a claimed execution to its end. `row` is the row of its `running` event.

        A failure of an action never raises here: it is an outcome. So is a defect of Squall, so that no execution
        stays `running` for ever. After an error of the environment, which is neither, everything is tried again: a
        process that was started is not started a second time.
        """
        while True:
            try:
                outcome = await self._outcome(execution, row)
                if self._limits.check_output:
                    outcome = await self._checked(execution, outcome)
            except Exception as error:
                if not is_of_environment(error):
                    outcome = _failure(execution, error)
                else:
                    await self._holdups.wait(execution.id, error)
                    execution = await self._current(execution)
                    continue
            self._holdups.over(execution.id)
            return outcome

    async def _current(self, execution: Execution) -> Execution:
        """Returns the execution as it is now: it may have been canceled while it waited."""
        try:
            return await self._claims.current(execution)
        except Exception as error:
            if not is_of_environment(error):
                raise
            return execution

    async def _checked(self, execution: Execution, outcome: Outcome) -> Outcome:
        """Returns the outcome, or a failure if its result does not fit the action's output schema."""
        if outcome.status != ex.SUCCEEDED:
            return outcome
        mismatch = checked_output(outcome.result, *await self._content.snapshot(execution.snapshot))
        return outcome if mismatch is None else msgspec.structs.replace(outcome, status=ex.FAILED, result=mismatch)

    async def settle(self) -> None:
        """Stops and releases the launcher's processes of ended executions. Call it before any run."""
        held = [key[0] for key in self._launcher.held()]
        for at in range(0, len(held), _SETTLED):
            for execution_id in await self._claims.ended(held[at : at + _SETTLED]):
                await self._launcher.cancel(execution_id)
                await self._launcher.acknowledge(execution_id)

    async def finish(self, task: Due, execution: Execution, outcome: Outcome) -> None:
        """Stores the outcome, as often as the environment makes it fail. Only then the launcher may forget how the
        process ended. Raises what is no error of the environment"""
        while True:
            try:
                await self._finish(task, execution, outcome)
            except Exception as error:
                if not is_of_environment(error):
                    raise
                await self._holdups.wait(execution.id, error)
            else:
                self._holdups.over(execution.id)
                return

    async def _finish(self, task: Due, execution: Execution, outcome: Outcome) -> None:
        if await self._claims.finish(task, execution, outcome):
            if self._tokens is not None and (execution.id, execution.attempt) in self._launcher.held():
                await self._tokens.revoke_tokens_of(execution.id)
            await self._launcher.acknowledge(execution.id)

    async def _outcome(self, execution: Execution, row: int) -> Outcome:
        action, runner_type = await self._content.snapshot(execution.snapshot)
        token = self._tokens.offer(execution.id) if self._tokens is not None else ""
        job, secrets = await self._job(execution, action, runner_type, token)
        runner = self._runners.get(runner_type.name)
        if runner is None:
            raise InvalidError(f'This server has no runner "{runner_type.name}".')
        if (execution.id, execution.attempt) not in self._launcher.held():
            if execution.status != ex.RUNNING or ex.COMPLETED_AS in execution.context:
                # The execution was canceled or completed before its process started.
                return Outcome(ex.CANCELED, None)
            prepared = await _apart(_versioned(job), runner.prepare, job)
            if isinstance(prepared, Outcome):
                return prepared
            if self._tokens is not None and await self._tokens.grant(
                token, execution.user, prepared.timeout, execution.id
            ):
                secrets = (*secrets, token.encode())
            await self._launcher.spawn(_completed(prepared, self._limits, job, row, secrets))
        elif execution.status == ex.CANCELING or ex.COMPLETED_AS in execution.context:
            await self._launcher.cancel(execution.id)
        end = await self._ended(execution, job.runner_parameters.get("timeout"))
        if end.lost is not None:
            return Outcome(ex.ABANDONED, {"error": end.lost})
        texts = await self._printed.read(execution, end)
        outcome = await _apart(_versioned(job) or end.result_bytes > _LARGE, runner.outcome, job, end, texts)
        used = {"cpu_seconds": end.cpu_seconds, "peak_memory": end.peak_memory, "masked": end.masked}
        account = Account(execution.id, end.stdout_bytes, end.stderr_bytes, end.last_record)
        return msgspec.structs.replace(outcome, at=end.ended_at, used=used, account=account)

    async def _ended(self, execution: Execution, timeout: Any) -> End:
        """Waits for the end of the process. The keeper enforces the time-out. If it is late, this method cancels the
        process; if the keeper does not answer, the process counts as lost, so that no execution runs for ever."""
        limit = float(timeout) if isinstance(timeout, int | float) and timeout > 0 else None
        grace = self._limits.late_seconds
        end = await _within(limit, self._launcher, execution.id) or await _awake(grace, self._launcher, execution.id)
        if end is not None:
            return end
        _LOG.warning("a time-out was not enforced by the keeper", extra={"execution": execution.id})
        await self._launcher.cancel(execution.id)
        if (end := await _awake(grace, self._launcher, execution.id)) is not None:
            return _late(end, limit or 0.0)
        reason = f"The execution timed out after {limit:g} seconds, and the keeper of its process does not answer."
        return End(execution=execution.id, attempt=execution.attempt, exit_code=-1, lost=reason)

    async def _job(
        self, execution: Execution, action: Action, runner_type: RunnerType, token: str
    ) -> tuple[RunnerJob, tuple[bytes, ...]]:
        """Returns the job for a runner, and the secrets in it. Raises `InvalidError`."""
        current = await self._content.runner(runner_type.name)
        if not current.enabled:
            raise InvalidError(f'Runner "{runner_type.name}" has been disabled by the administrator.')
        bound = await self._binding.run(execution, action, runner_type)
        of_runner, of_action = split_parameters(bound.values, runner_type)
        entry_point = action.entry_point
        pack = (await self._content.packs()).get(action.pack) if entry_point else None
        if entry_point and not entry_point.startswith("/"):
            if pack is None:
                raise InvalidError(f'Pack "{action.pack}" of action "{action.ref}" is not installed: install it again.')
            entry_point = str(PurePosixPath(pack.path) / "actions" / entry_point)
        job = RunnerJob(
            execution=execution,
            action=action,
            runner_type=runner_type,
            runner_parameters=of_runner,
            action_parameters=of_action,
            entry_point=entry_point,
            environment={
                **self._environment,
                "ST2_ACTION_PACK_NAME": action.pack,
                "ST2_ACTION_EXECUTION_ID": execution.id,
                "ST2_ACTION_DEBUG": "False",
                **_token_variables(token, runner_type.name),
            },
            pack_path=pack.path if pack is not None else "",
            config=await self._config(runner_type, pack, execution),
            secrets=bound.secrets,
        )
        return job, bound.secrets

    async def _config(self, runner_type: RunnerType, pack: Pack | None, execution: Execution) -> PackConfig:
        """Returns the pack's configuration, or an empty one if the runner does not use it. Raises `InvalidError`."""
        if self._configs is None or pack is None or runner_type.name not in CONFIGURED_RUNNERS:
            return PackConfig()
        return await self._configs.rendered(pack, str(execution.context["user"]))


async def _within(seconds: float | None, launcher: Launcher, execution: str) -> End | None:
    """Waits up to `seconds` (None: for ever) for the end of a process. Returns None if it does not come."""
    try:
        async with asyncio.timeout(seconds):
            return await launcher.ended(execution)
    except TimeoutError:
        return None


async def _awake(seconds: float, launcher: Launcher, execution: str) -> End | None:
    """Waits as `_within` does, in short pieces.

    If the server itself stood still (`SIGSTOP`, a machine without processor time), only one piece is over, and the
    message that came meanwhile is read in the next.
    """
    for _ in range(_PIECES):
        if (end := await _within(seconds / _PIECES, launcher, execution)) is not None:
            return end
    return None


def _late(end: End, limit: float) -> End:
    """Returns the end of a process that was canceled because of its time-out. If it had ended in time before that, its
    end stays as it is."""
    in_time = not (end.canceled or end.timed_out) and end.wall_seconds <= limit
    return end if in_time else end._replace(timed_out=True, canceled=False)


def _completed(spec: LaunchSpec, limits: RunLimits, job: RunnerJob, row: int, secrets: tuple[bytes, ...]) -> LaunchSpec:
    """Returns the launch spec with limits, secrets, and the status record that opens the output."""
    execution = job.execution
    own = job.action.output_limit or OutputLimit()
    secret_values = dict.fromkeys((*secrets, *(text.encode() for text in job.config.secrets if text)))
    masked = tuple(value for value in secret_values if len(value) <= MASKED_MOST)
    return spec._replace(
        output_limit=own.bytes if own.bytes is not None else limits.output,
        limit_policy=own.policy or limits.policy,
        umask=limits.umask,
        limits=limits.processes,
        secrets=masked,
        too_long=len(secret_values) - len(masked),
        opening=msgspec.json.encode({"status": ex.RUNNING}),
        opened=row,
        opened_at=execution.log[-1].at,
    )


def _failure(execution: Execution, error: Exception) -> Outcome:
    """Returns the outcome for an error that would come again: of the action, or a defect."""
    if isinstance(error, InvalidError):
        return Outcome(ex.FAILED, {"error": str(error), "traceback": ""})
    _LOG.error("running an execution failed", exc_info=error, extra={"execution": execution.id})
    text = "".join(traceback.format_exception(error, limit=8))
    return Outcome(ex.FAILED, {"error": str(error), "traceback": text})


def _token_variables(token: str, runner: str) -> dict[str, str]:
    """Returns the environment variables of a token; StackStorm's client library in Python actions needs its own."""
    if not token:
        return {}
    more = {"ST2_AUTH_TOKEN": token} if runner == "python-script" else {}
    return {"ST2_ACTION_AUTH_TOKEN": token, **more}


def _versioned(job: RunnerJob) -> bool:
    """Checks whether the job uses another version of the pack, whose files are checked out and removed for it."""
    return bool(job.runner_parameters.get("content_version"))


async def _apart(apart: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Does the work on a thread if `apart` (it takes time), else directly."""
    return await asyncio.to_thread(work, *args, **kwargs) if apart else work(*args, **kwargs)
