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
from squall.core.execution.execution import Execution
from squall.core.expr.language import Language
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.conductor import Step
from squall.core.workflow.conducting.engine import RunAction
from squall.ports import Clock, Due, Store, Tx
from squall.services.execution.executions import Executions, Prepared
from squall.services.execution.reservations import Reservation, Starting
from squall.services.execution.transitions import Transitions
from squall.services.holdups import Holdups
from squall.services.lanes import (
    ADVANCE,
    AT_ONCE,
    JOURNAL,
    MoreToDo,
    ProgressRecords,
    Start,
    StatusRecord,
    advance_of,
)
from squall.services.suspects import Suspects
from squall.services.workflow.chains import Chains
from squall.services.workflow.children import canceler, child_request, pass_on
from squall.services.workflow.deciding import decide, failed, way
from squall.services.workflow.expressions import Languages
from squall.services.workflow.failing import Failing, done, worded
from squall.services.workflow.run import Run
from squall.services.workflow.run_store import RunStore
from squall.services.workflow.runs import Runs

T = TypeVar("T")
_LOG = logging.getLogger("squall.workflows")
MOST = 256
"""The most rows that one call of `advance` claims."""

_LEASE = 60_000_000


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
    def is_calm(self) -> bool:
        """True if nothing asks the children to stop or to pause: only then they may start at once."""
        conductor = self.run.conductor
        return not self.requested and conductor is not None and conductor.state.status == st.RUNNING

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
        clock: Clock,
        executions: Executions,
        starting: Starting,
        transitions: Transitions,
        runs: Runs,
        stored: RunStore,
        chains: Chains,
        suspects: Suspects,
        languages: Languages,
        holdups: Holdups,
    ) -> None:
        self._chains = chains
        self._store = store
        self._clock = clock
        self._executions = executions
        self._starting = starting
        self._transitions = transitions
        self._runs = runs
        self._stored = stored
        self._failing = Failing(store, clock, transitions, runs, holdups)
        self._suspects = suspects
        self._languages = languages
        self._inboxes: dict[str, list[Due]] = {}

    async def advance(self, group: asyncio.TaskGroup) -> int:
        """Claims at most `MOST` due rows of lane `advance`. Returns their number.
        One task of `group` per workflow handles its rows in order, so that no workflow waits for another."""
        claim = partial(self._suspects.claim, lane=ADVANCE, now=self._clock.now(), lease=_LEASE, limit=MOST)
        tasks = await self._store.tx(claim, durable=False)
        for task in await self._admit(tasks):
            if task.key not in self._inboxes:
                self._inboxes[task.key] = []
                drain = self._suspects.watched(ADVANCE, task.key, self._drain(task.key))
                group.create_task(drain, name=f"workflow {task.key}")
            self._inboxes[task.key].append(task)
        return len(tasks)

    async def _drain(self, key: str) -> None:
        """Advances one workflow until it has no more rows."""
        while rows := self._inboxes[key]:
            self._inboxes[key] = []
            await self._advance_one(key, rows)
        del self._inboxes[key]

    async def _advance_one(self, key: str, tasks: list[Due]) -> None:
        try:
            run = await self._runs.load(key, tasks)
            if run is None:
                await self._failing.drop(tasks)
            elif run.is_chain:
                await self._chains.advance(run.execution, tasks)
                self._transitions.hint(run.execution)
            else:
                await self._advance_run(run, tasks)
            self._failing.over(key)
        except Exception as error:
            await self._failing.fail_or_release(key, tasks, error)

    async def _admit(self, tasks: Sequence[Due]) -> Sequence[Due]:
        """Returns the rows of the workflows that may advance. If policies delay the start of one, they queue it again.

        It works on one workflow after the other, so that they stand in the line of a policy in the order of their rows.
        """
        starting = [task.key for task in tasks if isinstance(advance_of(task), Start)]
        if not starting:
            return tasks
        held: set[str] = set()
        try:
            limited = await self._store.read(lambda tx: _limited(tx, starting))
        except Exception as error:
            limited = []
            for key in starting:
                held.add(key)
                await self._failing.fail_or_release(key, [task for task in tasks if task.key == key], error)
        for key in limited:
            own = [task for task in tasks if task.key == key]
            try:
                is_delayed = await self._store.tx(
                    partial(_delayed, transitions=self._transitions, now=self._clock.now(), tasks=own)
                )
            except Exception as error:
                is_delayed = True
                await self._failing.fail_or_release(key, own, error)
            held |= {key} if is_delayed else set()
        return [task for task in tasks if task.key not in held]

    async def _advance_run(self, run: Run, tasks: list[Due]) -> None:
        batch = Batch(run, tasks)
        if run.conductor is not None:
            batch.steps, batch.requested = await self._evaluate(run, partial(decide, run, tasks, self._clock.now()))
            await self._prepare(batch)
        with self._starting.reserved(len(batch.children) if batch.is_calm else 0) as reservation:
            written = await self._store.tx(lambda tx: self._write(tx, batch, reservation))
        if not written:
            self._runs.forget(run.execution.id)
            await self._failing.release(run.execution.id, tasks)
            return
        self._transitions.hint(run.execution)

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

    async def _write(self, tx: Tx, batch: Batch, reservation: Reservation) -> bool:
        """Writes a batch. Returns False if another server has advanced the workflow first."""
        reservation.begin()
        now = self._clock.now()
        run = batch.run
        execution = await tx.executions.get(run.execution.id, False)
        if execution is None or execution.status in ex.FINAL:
            await done(tx, batch.tasks)
            return True
        execution = await self._begin(tx, run, execution, now)
        if not await self._stored.store(tx, run, batch.steps):
            return False
        for command, prepared in batch.children:
            child = await self._executions.place(tx, prepared, now, reservation)
            item = -1 if command.item is None else command.item
            await tx.workflows.add_child(command.task_execution, item, child.id)
        await done(tx, batch.tasks)
        if batch.notes:
            await tx.queue.put(JOURNAL, execution.id, ProgressRecords(execution.tree, now, batch.notes), AT_ONCE)
        execution = await self._cascade(tx, batch, execution, now)
        if (ending := run.ending) is not None:
            await self._transitions.conclude(tx, execution, *ending, now)
            self._runs.forget(execution.id)
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
        for status in way(execution.status, conductor.state.status):
            if status == ex.CANCELING:
                requested.add(ex.CANCELING)
                context = {**execution.context, "cancelled_by": await canceler(tx, execution)}
                execution = msgspec.structs.replace(execution, context=context)
            execution, _ = await move(tx, execution, status, now, asks=False)
        await pass_on(tx, self._transitions, execution, requested, now)
        return execution


async def _limited(tx: Tx, keys: Sequence[str]) -> list[str]:
    """Returns the workflows of these that have not started and that have policies."""
    limited = []
    for key in keys:
        execution = await tx.executions.get(key, False)
        waits = execution is not None and execution.status in (ex.REQUESTED, ex.DELAYED)
        if execution is not None and waits and await tx.policies.find(execution.action):
            limited.append(key)
    return limited


async def _delayed(tx: Tx, transitions: Transitions, now: int, tasks: Sequence[Due]) -> bool:
    """Checks whether a policy delays or cancels a workflow that starts; then its rows are removed."""
    execution = await tx.executions.get(tasks[0].key, False)
    if execution is None or await transitions.admit(tx, execution, now):
        return False
    await done(tx, tasks)
    return True
