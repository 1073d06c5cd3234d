"""Advances workflows: passes events to the conductor in order, and stores its decisions in one transaction.

A workflow's state is the fold of its facts. Each batch of events appends one batch of facts under a number that only
one server can write, so of two servers that advance the same workflow only one succeeds. One transaction writes facts,
children, removed queue rows and the final status. A crash therefore leaves all or nothing of a step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.expr.language import Language
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.conductor import Step
from squall.core.workflow.conducting.engine import RunAction
from squall.ports import Bus, Clock, Due, Store, Tx
from squall.services.execution.executions import Executions, Prepared
from squall.services.execution.transitions import Transitions
from squall.services.holdups import Holdups
from squall.services.lanes import (
    ADVANCE,
    AT_ONCE,
    JOURNAL,
    RUN,
    MoreToDo,
    ProgressRecords,
    Start,
    StatusRecord,
    advance_of,
)
from squall.services.workflow.chains import Chains
from squall.services.workflow.child_requests import child_request
from squall.services.workflow.deciding import decide, failed
from squall.services.workflow.expressions import Languages
from squall.services.workflow.failing import Failing, done, worded
from squall.services.workflow.run import Run
from squall.services.workflow.runs import Runs

T = TypeVar("T")
_LOG = logging.getLogger("squall.workflows")
MOST = 256
"""The most rows that one call of `advance` claims."""

_LEASE = 60_000_000
_CANCELABLE = (ex.REQUESTED, ex.DELAYED, ex.SCHEDULED, ex.RUNNING, ex.PAUSING, ex.PAUSED, ex.RESUMING)


class Batch(msgspec.Struct):
    """The changes to write for one workflow: handled rows, the conductor's steps, and children to request.

    `requested` are the statuses that clients requested.
    """

    run: Run
    tasks: list[Due]
    steps: list[Step] = []
    children: list[tuple[RunAction, Prepared]] = []
    requested: list[str] = []

    @property
    def notes(self) -> list[dict[str, Any]]:
        """The progress notes of the steps."""
        return [
            {"event": note.event, "task": note.task, "route": note.route, **note.details}
            if note.task is not None
            else {"event": note.event, **note.details}
            for step in self.steps
            for note in step.notes
        ]


class Workflows:
    """Advances workflows."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        executions: Executions,
        transitions: Transitions,
        runs: Runs,
        chains: Chains,
        owner: str,
        languages: Languages,
        holdups: Holdups,
    ) -> None:
        self._chains = chains
        self._store = store
        self._bus = bus
        self._clock = clock
        self._executions = executions
        self._transitions = transitions
        self._runs = runs
        self._failing = Failing(store, clock, transitions, runs, holdups)
        self._owner = owner
        self._languages = languages
        self._inboxes: dict[str, list[Due]] = {}

    async def advance(self, group: asyncio.TaskGroup) -> int:
        """Claims at most `MOST` due rows of lane `advance`. Returns their number.
        One task of `group` per workflow handles its rows in order, so that no workflow waits for another."""
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: tx.queue.claim(ADVANCE, self._owner, now, _LEASE, MOST), durable=False)
        for task in tasks:
            if task.key in self._inboxes:
                self._inboxes[task.key].append(task)
            else:
                self._inboxes[task.key] = [task]
                group.create_task(self._drain(task.key), name=f"workflow {task.key}")
        return len(tasks)

    async def _drain(self, key: str) -> None:
        """Advances one workflow until it has no more rows."""
        while rows := self._inboxes[key]:
            self._inboxes[key] = []
            await self._advance_one(key, rows)
        del self._inboxes[key]

    async def _advance_one(self, key: str, tasks: list[Due]) -> None:
        try:
            if not await self._admitted(key, tasks):
                return
            run = await self._runs.load(key, tasks)
            if run is None:
                await self._failing.drop(tasks)
            elif run.is_chain:
                child = await self._chains.advance(run.execution, tasks)
                self._hint(run.execution, [child] if child else [])
            else:
                await self._advance_run(run, tasks)
            self._failing.over(key)
        except Exception as error:
            await self._failing.fail_or_release(key, tasks, error)

    async def _admitted(self, key: str, tasks: list[Due]) -> bool:
        """Returns True if the workflow may advance. If policies delay its start, they queue it again later."""
        if not any(isinstance(advance_of(task), Start) for task in tasks):
            return True
        now = self._clock.now()

        async def limited(tx: Tx) -> Execution | None:
            execution = await tx.executions.get(key, False)
            waits = execution is not None and execution.status in (ex.REQUESTED, ex.DELAYED)
            return execution if waits and execution and await tx.policies.find(execution.action) else None

        async def work(tx: Tx) -> bool:
            execution = await limited(tx)
            if execution is None or await self._transitions.admit(tx, execution, now):
                return True
            await done(tx, tasks)
            return False

        # Most actions have no policies. Then a start needs only one transaction.
        execution = await self._store.read(limited)
        if execution is None or await self._store.tx(work):
            return True
        self._transitions.hint(execution)
        return False

    async def _advance_run(self, run: Run, tasks: list[Due]) -> None:
        batch = Batch(run, tasks)
        if run.conductor is not None:
            batch.steps, batch.requested = await self._evaluate(run, partial(decide, run, tasks, self._clock.now()))
            await self._prepare(batch)
        if not await self._store.tx(lambda tx: self._write(tx, batch)):
            self._runs.forget(run.execution.id)
            await self._failing.release(run.execution.id, tasks)
            return
        self._hint(run.execution, [prepared for _, prepared in batch.children])

    async def _evaluate(self, run: Run, work: Callable[[], T]) -> T:
        """Calls `work`, which evaluates the workflow's expressions, on a thread. Returns its result."""

        def with_language(language: Language) -> T:
            if run.conductor is not None:
                run.conductor.use(language)
            return work()

        return await self._languages.apart(with_language)

    async def _prepare(self, batch: Batch) -> None:
        """Prepares the children in the conductor's commands. If one cannot be requested, its task fails."""
        run = batch.run
        notified = await self._runs.notified(run.execution)
        waiting = [command for step in batch.steps for command in step.commands]
        while waiting:
            failures = []
            for command in waiting:
                try:
                    notify = run.execution.notify if command.task in notified else {}
                    request = child_request(run, command, notify)
                    batch.children.append((command, await self._executions.prepare(request)))
                except InvalidError as error:
                    failures.append((command, str(error)))
                except Exception as error:
                    if is_of_environment(error):
                        raise
                    _LOG.exception("an execution could not be prepared", extra={"execution": run.execution.id})
                    failures.append((command, worded(error)))
            waiting = []
            for command, text in failures:
                step = await self._evaluate(run, partial(failed, run, command, {"error": text}, self._clock.now()))
                batch.steps.append(step)
                waiting += step.commands

    async def _write(self, tx: Tx, batch: Batch) -> bool:
        """Writes a batch. Returns False if another server has advanced the workflow first."""
        now = self._clock.now()
        run = batch.run
        execution = await tx.executions.get(run.execution.id, False)
        if execution is None or execution.status in ex.FINAL:
            await done(tx, batch.tasks)
            return True
        execution = await self._begin(tx, run, execution, now)
        if not await self._runs.store(tx, run, batch.steps):
            return False
        for command, prepared in batch.children:
            child = await self._executions.place(tx, prepared, now)
            item = -1 if command.item is None else command.item
            await tx.workflows.add_child(command.task_execution, item, child.id)
        await done(tx, batch.tasks)
        if batch.notes:
            await tx.queue.put(JOURNAL, execution.id, ProgressRecords(execution.tree, now, batch.notes), AT_ONCE)
        execution = await self._cascade(tx, batch, execution, now)
        if run.result is not None or (run.conductor is not None and run.conductor.is_finished):
            await self._finish(tx, run, execution, now)
        elif batch.steps and batch.steps[-1].more:
            await tx.queue.put(ADVANCE, execution.id, MoreToDo(), AT_ONCE)
        return True

    async def _begin(self, tx: Tx, run: Run, execution: Execution, now: int) -> Execution:
        if execution.status not in (ex.REQUESTED, ex.DELAYED, ex.SCHEDULED):
            return execution
        context = execution.context
        if run.record is not None:
            context = {**context, "workflow_execution": run.record.workflow}
        execution = msgspec.structs.replace(execution, context=context, runner_info=self._runs.runner_info)
        move = self._transitions.move
        if execution.status != ex.SCHEDULED:
            execution, _ = await move(tx, execution, ex.SCHEDULED, now)
        execution, row = await move(tx, execution, ex.RUNNING, now)
        opening = StatusRecord(execution.tree, ex.RUNNING, row, execution.log[-1].at, create=True)
        await tx.queue.put(JOURNAL, execution.id, opening, AT_ONCE)
        return execution

    async def _cascade(self, tx: Tx, batch: Batch, execution: Execution, now: int) -> Execution:
        """Moves the execution to the conductor's status, and passes requests on to the children."""
        conductor = batch.run.conductor
        if conductor is None:
            return execution
        move = self._transitions.move
        requested = set(batch.requested)
        for status in _way(execution.status, conductor.state.status):
            if status == ex.CANCELING:
                requested.add(ex.CANCELING)
                context = {**execution.context, "cancelled_by": await _canceler(tx, execution)}
                execution = msgspec.structs.replace(execution, context=context)
            execution, _ = await move(tx, execution, status, now, asks=False)
        if ex.CANCELING in requested:
            for child in await _children(tx, execution, _CANCELABLE):
                await self._transitions.stop(tx, child, execution.context.get("cancelled_by", execution.user), now)
        if ex.PAUSING in requested:
            for child in await _children(tx, execution, (ex.RUNNING, ex.RESUMING)):
                if child.runner in self._runs.workflow_runners:
                    await move(tx, child, ex.PAUSING, now)
        if ex.RESUMING in requested:
            for child in await _children(tx, execution, (ex.PAUSED,)):
                await move(tx, child, ex.RESUMING, now)
        return execution

    async def _finish(self, tx: Tx, run: Run, execution: Execution, now: int) -> None:
        if run.result is not None:
            status, result = run.result
        else:
            assert run.conductor is not None  # noqa: S101 - either a result, or a conductor that has one
            status, result = run.conductor.state.status, run.conductor.result()
        await self._transitions.conclude(tx, execution, status, result, now)
        self._runs.forget(execution.id)

    def _hint(self, execution: Execution, children: Sequence[Prepared]) -> None:
        self._transitions.hint(execution)
        if execution.parent is not None:
            self._bus.publish(ADVANCE, execution.parent)
        for prepared in children:
            self._bus.publish(ADVANCE if prepared.runner.name in self._runs.workflow_runners else RUN, "")


def _way(current: str, target: str) -> Sequence[str]:
    """Returns the statuses between an execution's status and its conductor's, without final statuses."""
    if current == ex.CANCELING or target == current:
        return ()
    if target in (st.CANCELING, st.CANCELED):
        return (ex.CANCELING,)
    ways: dict[tuple[str, str], tuple[str, ...]] = {
        (ex.RUNNING, ex.PAUSING): (ex.PAUSING,),
        (ex.RUNNING, ex.PAUSED): (ex.PAUSING, ex.PAUSED),
        (ex.PAUSING, ex.PAUSED): (ex.PAUSED,),
        (ex.PAUSING, ex.RUNNING): (ex.RUNNING,),
        (ex.RESUMING, ex.PAUSING): (ex.PAUSING,),
        (ex.RESUMING, ex.PAUSED): (ex.PAUSING, ex.PAUSED),
        (ex.RESUMING, ex.RUNNING): (ex.RUNNING,),
        (ex.PAUSED, ex.RUNNING): (ex.RESUMING, ex.RUNNING),
        (ex.PAUSED, ex.RESUMING): (ex.RESUMING, ex.RUNNING),
        (ex.PAUSED, ex.PAUSING): (ex.RESUMING, ex.PAUSING),
    }
    if target in ex.FINAL and current == ex.PAUSED:
        return (ex.RESUMING,)
    return ways.get((current, target), ())


async def _children(tx: Tx, execution: Execution, statuses: Sequence[str]) -> list[Execution]:
    children: list[Execution] = []
    for status in statuses:
        children += await tx.executions.find(ExecutionFilter(parent=execution.id, status=status), None, 0, False)
    return children


async def _canceler(tx: Tx, execution: Execution) -> str:
    """Returns the user who canceled the workflow, or the task execution whose cancel ends the workflow."""
    for each in (execution, *await _children(tx, execution, (ex.CANCELING, ex.CANCELED))):
        if (user := each.context.get("cancelled_by")) is not None:
            return str(user)
    return execution.user
