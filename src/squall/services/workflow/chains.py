"""Advances action chains: requests the next node after the previous one has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.core.content.action import merged_parameters, split_parameters
from squall.core.environment import is_of_environment
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint, secrets_of
from squall.core.workflow.chain import Chain, Ended, RunNode, chain_result, child_context, next_step, read_chain
from squall.ports import Clock, Due, Store, Tx, WorkflowRecord
from squall.services.content.content import Content
from squall.services.execution.binding import Binding
from squall.services.execution.executions import Executions, Prepared, Request
from squall.services.execution.reservations import Reservation, Starting
from squall.services.execution.transitions import Transitions
from squall.services.lanes import AT_ONCE
from squall.services.workflow.definitions import key_of


class Step(msgspec.Struct):
    """One step of a chain: what was read, and the child to request (`prepared`) or the end (`ended`, `result`).

    `unlisted` are the ids of the children that no earlier step has stored in the order of children."""

    execution: Execution
    record: WorkflowRecord | None
    text: str | None = None
    unlisted: bytes = b""
    prepared: Prepared | None = None
    ended: Ended | None = None
    result: dict[str, Any] | None = None


class Chains:
    """Advances chains. A chain's children, in their order, determine its next node; its record's number stops a second
    server."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        content: Content,
        binding: Binding,
        executions: Executions,
        starting: Starting,
        transitions: Transitions,
        info: dict[str, Any],
    ) -> None:
        self._store = store
        self._clock = clock
        self._content = content
        self._executions = executions
        self._starting = starting
        self._binding = binding
        self._transitions = transitions
        self._info = info

    async def advance(self, execution: Execution, tasks: list[Due]) -> None:
        """Advances a chain and removes the rows `tasks`. Raises `OSError`, `SquallError`."""

        async def read(tx: Tx) -> tuple[WorkflowRecord | None, str | None, list[Execution], Sequence[bytes]]:
            record = await tx.workflows.get(execution.id)
            text = await tx.workflows.definition(record.definition) if record is not None else None
            where = ExecutionFilter(parent=execution.id, newest_first=False)
            listed = await tx.workflows.facts(execution.id, 0)
            return record, text, list(await tx.executions.find(where, None, 0, True)), listed

        record, text, children, listed = await self._store.read(read)
        children, unlisted = _in_order(children, listed)
        step = Step(execution, record, text, unlisted)
        try:
            await self._decide(step, children)
        except InvalidError as error:
            if is_of_environment(error):
                raise
            step.ended = Ended(ex.FAILED, {}, str(error))
            step.result = {"error": str(error), "traceback": ""}

        async def write(tx: Tx) -> None:
            reservation.begin()
            await self._write(tx, step, children, tasks, reservation)

        with self._starting.reserved(int(step.prepared is not None)) as reservation:
            await self._store.tx(write)

    async def _decide(self, step: Step, children: list[Execution]) -> None:
        execution = step.execution
        action, runner = await self._content.snapshot(execution.snapshot)
        if step.text is None:
            step.text = await self._content.file(action)
            step.record = WorkflowRecord(execution.id, self._clock.new_id(), key_of(step.text))
        chain = read_chain(step.text)
        schemas = merged_parameters(action, runner)
        of_runner, inputs = split_parameters((await self._binding.run(execution, action, runner)).values, runner)
        parent = {"execution_id": execution.id, "user": execution.user, "pack": action.pack}
        context = {**execution.context, "parent": parent}
        names = await self._binding.names([step.text], context, action.pack)
        names |= {"system": names["st2kv"]["system"], "vars": chain.vars}

        def decide(jinja: Jinja, taint: Taint) -> RunNode | Ended | None:
            for name, value in inputs.items():
                taint.only(name, secrets_of(value, schemas.get(name)))
            return next_step(chain, inputs, names, children, jinja, taint, self._binding.reveal)

        decision = await self._binding.rendering(decide)
        if isinstance(decision, RunNode):
            skipped = of_runner.get("skip_notify") or []
            notify = {} if decision.node.name in skipped else decision.node.notify or execution.notify
            decision = await self._prepare(step, chain, decision, parent, notify)
        if isinstance(decision, Ended):
            step.ended = decision
            step.result = chain_result(children, decision, bool(of_runner.get("display_published", True)))

    async def _prepare(
        self, step: Step, chain: Chain, run: RunNode, parent: dict[str, Any], notify: dict[str, Any]
    ) -> Ended | None:
        context: dict[str, Any] = {"parent": parent, "chain": child_context(run.node)}
        if "trace_context" in step.execution.context:
            context["trace_context"] = step.execution.context["trace_context"]
        sealed = {name: self._binding.enclosed(run.parameters[name], each) for name, each in run.secrets.items()}
        request = Request(
            action=run.node.ref,
            parameters=run.parameters | sealed,
            user=step.execution.user,
            context=context,
            notify=notify,
            plain=frozenset(run.parameters),
        )
        try:
            step.prepared = await self._executions.prepare(request)
        except InvalidError as error:
            if is_of_environment(error):
                raise
            return Ended(ex.FAILED, {}, f'Failed to run task "{run.node.name}". {error}')
        return None

    async def _write(
        self, tx: Tx, step: Step, children: list[Execution], tasks: list[Due], reservation: Reservation
    ) -> None:
        now = self._clock.now()
        move = self._transitions.move
        execution = await tx.executions.get(step.execution.id, False)
        over = execution is None or execution.status in ex.FINAL
        if not over and not await self._claimed(tx, step):
            # The other server may have read the children before the change that these rows are about.
            for task in tasks:
                await tx.queue.release(task, AT_ONCE)
            return
        for task in tasks:
            await tx.queue.done(task)
        if execution is None or over:
            return
        if execution.status in (ex.REQUESTED, ex.DELAYED):
            execution = msgspec.structs.replace(execution, runner_info=self._info)
            execution, _ = await move(tx, execution, ex.SCHEDULED, now)
            execution, _ = await move(tx, execution, ex.RUNNING, now)
        running = await _running(tx, children)
        if execution.status == ex.CANCELING:
            await self._stop(tx, execution, running, now)
            return
        execution = await self._pause_or_resume(tx, execution, running, now)
        if execution.status == ex.PAUSED:
            return
        if step.prepared is not None:
            await self._executions.place(tx, step.prepared, now, reservation)
        elif step.ended is not None:
            await self._transitions.conclude(tx, execution, step.ended.status, step.result, now)

    async def _claimed(self, tx: Tx, step: Step) -> bool:
        """Writes the chain's next number. Returns False if another server has written it first."""
        if step.record is None or step.text is None:
            return True
        if step.record.seq == 0:
            await tx.workflows.keep_definition(step.record.definition, step.text)
            await tx.workflows.insert(step.record)
        return await tx.workflows.append(step.record.execution, step.record.seq + 1, step.unlisted)

    async def _stop(self, tx: Tx, execution: Execution, running: list[Execution], now: int) -> None:
        for child in running:
            if child.status in ex.CANCELABLE:
                await self._transitions.stop(tx, child, execution.context.get("cancelled_by", execution.user), now)
        if not running:
            await self._transitions.conclude(tx, execution, ex.CANCELED, None, now)

    async def _pause_or_resume(self, tx: Tx, execution: Execution, running: list[Execution], now: int) -> Execution:
        """Pauses and resumes the chain: it pauses between two nodes, and while its node is paused or pending."""
        move = self._transitions.move
        pausable = not running or running[-1].status in (ex.PENDING, ex.PAUSED)
        if execution.status == ex.RUNNING and running and pausable:
            execution, _ = await move(tx, execution, ex.PAUSING, now)
        if execution.status == ex.PAUSING:
            for child in running:
                if child.status == ex.RUNNING and child.runner in ("orquesta", "orchestra", "action-chain"):
                    await move(tx, child, ex.PAUSING, now)
            if pausable:
                execution, _ = await move(tx, execution, ex.PAUSED, now)
        elif execution.status == ex.RESUMING:
            for child in running:
                if child.status == ex.PAUSED:
                    await move(tx, child, ex.RESUMING, now)
            execution, _ = await move(tx, execution, ex.RUNNING, now)
        elif execution.status == ex.PAUSED and _goes_on(execution, running):
            execution, _ = await move(tx, execution, ex.RESUMING, now)
            execution, _ = await move(tx, execution, ex.RUNNING, now)
        return execution


async def _running(tx: Tx, children: list[Execution]) -> list[Execution]:
    """Returns the children that have not ended, as they are now: some may have changed since they were read."""
    current = [await tx.executions.get(child.id, False) for child in children if child.status not in ex.FINAL]
    return [child for child in current if child is not None and child.status not in ex.FINAL]


def _in_order(children: list[Execution], listed: Sequence[bytes]) -> tuple[list[Execution], bytes]:
    """Returns the children in the order of their requests, and the ids of those that `listed` does not have yet.

    Their times do not tell the order: the clock may be set back while a chain runs. Each step of the chain stores the
    ids of the children that came before it, so at most one child, the last, is not listed. Chains of older versions
    have no such ids; their children stay in the order of their times.
    """
    order = {child_id: number for number, child_id in enumerate(_ids(listed))}
    unlisted = ",".join(child.id for child in children if child.id not in order)
    return sorted(children, key=lambda child: order.get(child.id, len(order))), unlisted.encode()


def _ids(listed: Sequence[bytes]) -> list[str]:
    return [child_id for ids in listed for child_id in ids.decode().split(",") if child_id]


def _goes_on(execution: Execution, running: list[Execution]) -> bool:
    """Checks whether a paused chain resumes by itself: its node runs again, or ended and no user keeps it paused."""
    if running:
        return running[-1].status == ex.RUNNING
    return not ex.stays_paused(execution)
