"""The life of an execution: requested, claimed, running, ended. Every change of a status is made here, in one
transaction with the event that tells it and the queue rows of what must follow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from squall.core import events
from squall.core import execution as ex
from squall.core.action import WORKFLOW_RUNNERS, Action, RunnerType, merged_parameters
from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.core.execution import Execution, ExecutionFilter, LogEntry, transition, with_result
from squall.core.expr.jinja import Jinja
from squall.core.launch import Outcome
from squall.core.params import bind_request, bind_run
from squall.core.secret import replace_sealed, seal_secrets
from squall.ports import Bus, Clock, Store, Task, Tx, Vault
from squall.services.content import Content, snapshot_key

RUN = "run"
JOURNAL = "journal"
CANCEL = "cancel"
CHANGED = "changed"
COUNT_CAP = 10_000
MASKED_MOST = 64 << 10
"""The longest secret (bytes) that is masked in output: finding longer ones would hold up every other action."""

MASKED_LEAST = 4
"""The shortest secret (bytes) that is masked in output: shorter ones stand in every text by chance."""

_LOG = logging.getLogger("squall.executions")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks to be run. `delay` is in ms; `context` may name a parent execution; the values of `plain`
    parameters have been rendered before."""

    action: str
    parameters: dict[str, Any] = {}
    user: str | None = None
    context: dict[str, Any] = {}
    delay: int | None = None
    plain: frozenset[str] = frozenset()


class Executions:
    """Use cases of executions. `user` is who requests without saying so."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, vault: Vault, content: Content, jinja: Jinja, user: str
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._vault = vault
        self._content = content
        self._jinja = jinja
        self._user = user

    # -- requests

    async def request(self, request: Request) -> Execution:
        """Requests an execution; it is queued when this returns. Raises `InvalidError`; then nothing was made."""
        found = await self._content.runnable(request.action)
        if found is None:
            raise InvalidError(f'Action "{request.action}" cannot be found.')
        action, runner = found
        if not action.enabled:
            raise InvalidError(f'Unable to execute. Action "{action.ref}" is disabled.')
        if request.delay is not None and request.delay < 0:
            raise InvalidError(f"{request.delay} is less than the minimum of 0 (delay, in milliseconds)")
        schemas = merged_parameters(action, runner)
        names = self._names(request.context)
        given = bind_request(schemas, request.parameters, names, self._jinja, request.plain)
        sealed = {name: seal_secrets(value, schemas[name], self._vault.seal) for name, value in given.items()}
        return await self._insert(request, action, runner, sealed)

    async def _insert(
        self, request: Request, action: Action, runner: RunnerType, parameters: dict[str, Any]
    ) -> Execution:
        now = self._clock.now()
        user = request.user or self._user
        made = Execution(
            id=(new_id := self._clock.new_id()),
            tree=new_id,
            action=action.ref,
            runner=runner.name,
            status=ex.REQUESTED,
            user=user,
            snapshot=snapshot_key(action, runner),
            start=now,
            delay=request.delay or None,
            parameters=parameters,
            context={**request.context, "user": user, "pack": action.pack},
            log=(LogEntry(now, ex.REQUESTED),),
        )

        async def work(tx: Tx) -> Execution:
            execution = await _with_parent(tx, made)
            await tx.content.keep_snapshot(execution.snapshot, action, runner)
            await tx.executions.insert(execution)
            await tx.events.add(events.EXECUTION_CREATE, execution, now)
            if execution.delay:
                # Clients end their wait at `delayed`, so the answer still shows `requested`, as StackStorm's does.
                await self._move(tx, execution, ex.DELAYED, now)
            await tx.queue.put(RUN, execution.id, None, now + (execution.delay or 0) * 1000)
            return execution

        execution = await self._store.tx(work)
        self._bus.publish(RUN, execution.id)
        self._bus.publish(CHANGED, execution.tree)
        return execution

    async def re_run(
        self, execution_id: str, overrides: dict[str, Any], user: str | None, delay: int | None
    ) -> Execution:
        """Requests the same action again, with `overrides` over the stored parameters.

        Raises `NotFoundError` and `InvalidError`.
        """
        old = await self.get(execution_id)
        parameters = replace_sealed(old.parameters, self._vault.open) | overrides
        context: dict[str, Any] = {"re-run": {"ref": old.id}}
        if "trace_context" in old.context:
            context["trace_context"] = old.context["trace_context"]
        return await self.request(
            Request(
                action=old.action,
                parameters=parameters,
                user=user or None,
                context=context,
                delay=delay,
                plain=frozenset(old.parameters) - overrides.keys(),
            )
        )

    # -- looking

    async def resolve(self, execution_id: str) -> str:
        """The id meant by `last`, or the id itself. Raises `NotFoundError` when nothing has run yet."""
        if execution_id != "last":
            return execution_id
        latest = await self._store.read(lambda tx: tx.executions.latest())
        if latest is None:
            raise NotFoundError("No execution has been requested yet.")
        return latest

    async def get(self, execution_id: str, with_result: bool = True) -> Execution:
        """One execution. Raises `NotFoundError`."""
        found = await self._store.read(lambda tx: tx.executions.get(execution_id, with_result))
        if found is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        return found

    async def find(
        self, where: ExecutionFilter, limit: int | None, offset: int, with_result: bool
    ) -> tuple[list[Execution], int, dict[str, list[str]]]:
        """A page of executions, how many match (at most `COUNT_CAP`), and their children's ids."""

        async def work(tx: Tx) -> tuple[list[Execution], int, dict[str, list[str]]]:
            page = list(await tx.executions.find(where, limit, offset, with_result))
            total = await tx.executions.count(where, COUNT_CAP)
            return page, total, dict(await tx.executions.child_ids([execution.id for execution in page]))

        return await self._store.read(work)

    async def children(
        self, execution_id: str, depth: int | None, with_result: bool
    ) -> tuple[list[Execution], dict[str, list[str]]]:
        """Descendants, `depth` levels deep (None: all), and their own children's ids. Raises `NotFoundError`."""

        async def work(tx: Tx) -> tuple[list[Execution], dict[str, list[str]]] | None:
            if await tx.executions.get(execution_id, False) is None:
                return None
            below = list(await tx.executions.descendants(execution_id, depth, with_result))
            return below, dict(await tx.executions.child_ids([execution.id for execution in below]))

        found = await self._store.read(work)
        if found is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        return found

    async def child_ids(self, execution_ids: Sequence[str]) -> dict[str, list[str]]:
        """The ids of the direct children of each."""
        return dict(await self._store.read(lambda tx: tx.executions.child_ids(execution_ids)))

    # -- running

    async def claim(
        self, owner: str, lease: int, limit: int, runner_info: dict[str, Any]
    ) -> list[tuple[Task, Execution, int]]:
        """Takes due executions to run: each with its task and the event row that tells that it runs.

        `lease` is in µs; `runner_info` (host name and pid of the worker) is shown with the execution.

        One that an earlier worker had begun is given as it stands, `running` or `canceling`: its process may well live.
        """
        now = self._clock.now()
        touched: set[str] = set()

        async def work(tx: Tx) -> list[tuple[Task, Execution, int]]:
            claimed = []
            touched.clear()
            for task in await tx.queue.claim(RUN, owner, now, lease, limit):
                execution = await tx.executions.get(task.key, False)
                if execution is None or execution.status in ex.FINAL:
                    await tx.queue.done(task)
                    continue
                touched.add(execution.tree)
                if execution.status in (ex.REQUESTED, ex.DELAYED):
                    execution, _ = await self._move(tx, execution, ex.SCHEDULED, now)
                    execution = msgspec.structs.replace(execution, runner_info=runner_info)
                    execution, row = await self._move(tx, execution, ex.RUNNING, now)
                else:
                    row = max((event.id for event in await tx.events.of_execution(execution.id)), default=0)
                claimed.append((task, execution, row))
            return claimed

        claimed = await self._store.tx(work)
        for tree in touched:
            self._bus.publish(CHANGED, tree)
        return claimed

    def bind(self, execution: Execution, action: Action, runner: RunnerType) -> dict[str, Any]:
        """The values of all parameters for the run, secrets revealed. Raises `InvalidError`."""
        schemas = merged_parameters(action, runner)
        stored = replace_sealed(execution.parameters, self._vault.open)
        return bind_run(schemas, stored, self._names(execution.context), self._jinja)

    def secrets(self, execution: Execution) -> tuple[bytes, ...]:
        """Every secret value the execution was given, as the bytes an action might print."""
        found: list[bytes] = []

        def reveal(envelope: str) -> None:
            value = self._vault.open(envelope)
            secret = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
            if len(secret) > MASKED_MOST:
                _LOG.warning("a secret is too long to be masked", extra={"execution": execution.id})
            elif secret:
                found.append(secret)
                if len(secret) < MASKED_LEAST:
                    _LOG.warning("a secret is too short to be masked", extra={"execution": execution.id})

        replace_sealed(execution.parameters, reveal)
        return tuple(found)

    async def finish(self, task: Task, execution: Execution, outcome: Outcome) -> bool:
        """Ends an execution with its outcome, unless it has ended already; false when another worker has taken it over,
        who will end it."""
        now = self._clock.now()

        async def work(tx: Tx) -> bool:
            current = await tx.executions.get(execution.id, False)
            if current is None or current.status in ex.FINAL:
                await tx.queue.done(task)
                return True
            # It may have ended long before a server was there to hear of it.
            at = min(now, max(outcome.at, current.log[-1].at)) if outcome.at else now
            return await self._end(tx, task, current, outcome, at)

        ended = await self._store.tx(work)
        self._bus.publish(CHANGED, execution.tree)
        self._bus.publish(JOURNAL, execution.tree)
        return ended

    async def _end(self, tx: Tx, task: Task, execution: Execution, outcome: Outcome, now: int) -> bool:
        if not await tx.queue.done(task):
            return False
        if execution.status == ex.CANCELING:
            outcome = msgspec.structs.replace(outcome, status=ex.CANCELED, result=_cancel_result(execution))
        execution = with_result(execution, outcome.result, len(msgspec.json.encode(outcome.result)))
        execution = msgspec.structs.replace(execution, runner_info=execution.runner_info | outcome.used)
        await self._move(tx, execution, outcome.status, now)
        return True

    async def _move(self, tx: Tx, execution: Execution, status: str, now: int) -> tuple[Execution, int]:
        """Changes the status: the row, its event, and for what comes after `running` a row in lane `journal`."""
        execution = transition(execution, status, now)
        await tx.executions.update(execution)
        row = await tx.events.add(events.EXECUTION_UPDATE, execution, execution.log[-1].at)
        if status in ex.STARTED and status != ex.RUNNING:
            told = [execution.tree, status, row, execution.log[-1].at, execution.parent is not None]
            await tx.queue.put(JOURNAL, execution.id, told, now)
        return execution, row

    # -- cancelling

    async def cancel(self, execution_id: str, user: str | None = None) -> Execution:
        """Asks an execution to stop: at once if it has not started, else as soon as its processes are gone.

        One that is canceled already is given back. Raises `ConflictError` in StackStorm's words when it cannot be,
        and `NotFoundError`.
        """
        now = self._clock.now()
        who = user or self._user

        async def work(tx: Tx) -> Execution | None:
            execution = await tx.executions.get(execution_id)
            if execution is None or execution.status == ex.CANCELED:
                return execution
            if execution.status not in ex.CANCELABLE:
                raise ConflictError(f"Action cannot be canceled. State = {execution.status}.")
            waiting = execution.status in (ex.REQUESTED, ex.DELAYED)
            execution = msgspec.structs.replace(execution, context={**execution.context, "cancelled_by": who})
            result = _cancel_result(execution)
            execution = with_result(execution, result, len(msgspec.json.encode(result)))
            if waiting:
                await tx.queue.discard(RUN, execution.id)
            execution, _ = await self._move(tx, execution, ex.CANCELED if waiting else ex.CANCELING, now)
            return execution

        execution = await self._store.tx(work)
        if execution is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        self._bus.publish(CANCEL, execution.id)
        self._bus.publish(CHANGED, execution.tree)
        self._bus.publish(JOURNAL, execution.tree)
        return execution

    async def update(self, execution_id: str, status: str | None, result: Any) -> Execution:
        """What a client's PUT asks: to cancel; pausing is for workflows. Raises `InvalidError`, `NotFoundError`."""
        execution = await self.get(execution_id)
        if execution.status in ex.FINAL:
            raise InvalidError("Execution is already in completed state.")
        if status in (ex.CANCELING, ex.CANCELED):
            return await self.cancel(execution_id)
        if status in (ex.PAUSING, ex.PAUSED, ex.RESUMING) and execution.runner not in WORKFLOW_RUNNERS:
            verb = "resume" if status == ex.RESUMING else "pause"
            raise InvalidError(
                f'Failed updating execution. Unable to {verb} liveaction "{execution.id}" because it is not supported '
                f'by the "{execution.runner}" runner.'
            )
        raise InvalidError(
            f"status {status!r} cannot be set by a client: only canceling"
            + (" (a result is set by what runs the action)" if result is not None else "")
        )

    async def canceling(self, execution_ids: Sequence[str]) -> list[str]:
        """Which of these have been asked to stop."""
        if not execution_ids:
            return []
        where = ExecutionFilter(ids=tuple(execution_ids), status=ex.CANCELING)
        found = await self._store.read(lambda tx: tx.executions.find(where, None, 0, False))
        return [execution.id for execution in found]

    async def ended(self, execution_ids: Sequence[str]) -> set[str]:
        """Which of these have a final status, or are not known at all."""
        found = await self._store.read(
            lambda tx: tx.executions.find(ExecutionFilter(ids=tuple(execution_ids)), None, 0, False)
        )
        return set(execution_ids) - {execution.id for execution in found if execution.status not in ex.FINAL}

    def _names(self, context: dict[str, Any]) -> dict[str, Any]:
        """What templates may use besides parameters."""
        return {"action_context": context, "config_context": {}, "st2kv": {"system": {}, "user": {}}}


async def _with_parent(tx: Tx, execution: Execution) -> Execution:
    """Puts an execution under the parent its context names, into that parent's tree. Raises `InvalidError`."""
    named = execution.context.get("parent")
    if named is None:
        return execution
    if not isinstance(named, dict) or "execution_id" not in named:
        raise InvalidError(f"context.parent: {named!r} is not an object with an execution_id")
    parent_id = named["execution_id"]
    parent = await tx.executions.get(parent_id, False) if isinstance(parent_id, str) else None
    if parent is None:
        raise InvalidError(f'context.parent.execution_id: there is no execution "{parent_id}".')
    root = parent if parent.tree == parent.id else await tx.executions.get(parent.tree, False)
    if root is None or root.status in ex.FINAL or parent.status in ex.FINAL:
        raise InvalidError(f'context.parent.execution_id: execution "{parent_id}" has ended and takes no children.')
    return msgspec.structs.replace(execution, tree=parent.tree, parent=parent.id)


def _cancel_result(execution: Execution) -> dict[str, Any]:
    return {"message": "Action canceled by user.", "user": execution.context.get("cancelled_by", execution.user)}
