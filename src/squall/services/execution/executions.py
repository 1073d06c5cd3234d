"""Requests, reads and re-runs executions for clients and other services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.core.access.secret import masked
from squall.core.content.action import WORKFLOW_RUNNERS, Action, RunnerType
from squall.core.content.returned import restored
from squall.core.errors import InvalidError, NotFoundError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter, LogEntry, Origin, encoded_size, with_result
from squall.core.execution.params import check_depths
from squall.core.execution.trace import rule_depth, with_depth
from squall.ports import Bus, Clock, Store, Tx
from squall.services.content.content import Content, snapshot_key
from squall.services.execution.binding import Binding
from squall.services.execution.reservations import Reservation, Starting
from squall.services.execution.transitions import Transitions
from squall.services.lanes import CHANGED

COUNT_CAP = 10_000


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to run an action. `delay` is in ms; `context` may name a parent execution; `notify` replaces the
    action's own section; an earlier execution has stored the values of `plain` parameters. `origin` names the rule that
    requests it. `by` is the id of the execution that requests it over the API; as many rules led to the new one."""

    action: str
    parameters: dict[str, Any] = {}
    user: str | None = None
    context: dict[str, Any] = {}
    delay: int | None = None
    notify: dict[str, Any] | None = None
    plain: frozenset[str] = frozenset()
    origin: Origin | None = None
    by: str = ""


class Prepared(msgspec.Struct, frozen=True):
    """A checked request: its action and runner, with rendered and sealed parameters."""

    request: Request
    action: Action
    runner: RunnerType
    parameters: dict[str, Any]


class Executions:
    """The use cases of executions. `user` is the user of requests that name none."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        content: Content,
        binding: Binding,
        transitions: Transitions,
        starting: Starting,
        user: str,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._content = content
        self._binding = binding
        self._transitions = transitions
        self._starting = starting
        self._user = user

    # -- requests

    async def request(self, request: Request) -> Execution:
        """Creates and queues an execution. Raises `InvalidError`; then no execution was created."""
        return await self.start(await self.prepare(request))

    async def start(self, prepared: Prepared) -> Execution:
        """Creates and queues the execution of a prepared request. Raises `InvalidError`."""
        now = self._clock.now()

        async def work(tx: Tx) -> Execution:
            reservation.begin()
            return await self.place(tx, prepared, now, reservation)

        with self._starting.reserved(1) as reservation:
            execution = await self._store.tx(work)
        self._transitions.wake()
        self._bus.publish(CHANGED, execution.tree)
        return execution

    async def prepare(self, request: Request) -> Prepared:
        """Checks a request, renders its parameters and seals its secrets. Raises `InvalidError`."""
        runnable = await self._content.runnable(request.action)
        if runnable is None:
            raise InvalidError(f'Action "{request.action}" cannot be found.')
        action, runner = runnable
        if not action.enabled:
            raise InvalidError(f'Unable to execute. Action "{action.ref}" is disabled.')
        if request.delay is not None and request.delay < 0:
            raise InvalidError(f"{request.delay} is less than the minimum of 0 (delay, in milliseconds)")
        context = {**request.context, "user": request.user or self._user, "pack": action.pack}
        parameters = await self._binding.request(action, runner, request.parameters, context, request.plain)
        return Prepared(request, action, runner, parameters)

    async def unfit(self, request: Request) -> Prepared | None:
        """Returns a request whose parameters cannot be rendered or do not fit, for an execution that fails at once.
        They stay as they are, and secret ones are sealed. Returns None if the action does not exist or is disabled."""
        runnable = await self._content.runnable(request.action)
        if runnable is None or not runnable[0].enabled:
            return None
        return Prepared(request, *runnable, self._binding.unrendered(*runnable, request.parameters))

    async def place(
        self, tx: Tx, prepared: Prepared, now: int, reservation: Reservation | None = None, failure: str = ""
    ) -> Execution:
        """Creates and queues the execution of a prepared request in the transaction `tx`; claims it if `reservation`
        has room. With a `failure`, the execution has failed for this reason. Returns it as it was requested. Raises
        `InvalidError` if its parent does not exist or has ended."""
        request, action, runner = prepared.request, prepared.action, prepared.runner
        user = request.user or self._user
        execution = Execution(
            id=(new_id := self._clock.new_id()),
            tree=new_id,
            action=action.ref,
            runner=runner.name,
            status=ex.REQUESTED,
            user=user,
            snapshot=snapshot_key(action, runner),
            start=now,
            delay=request.delay or None,
            parameters=prepared.parameters,
            context={**request.context, "user": user, "pack": action.pack},
            notify=action.notify if request.notify is None else request.notify,
            origin=request.origin,
            log=(LogEntry(now, ex.REQUESTED),),
        )
        if request.by:
            execution = _with_depth_of(await tx.executions.get(request.by, False), execution)
        execution = await _with_parent(tx, execution)
        await tx.content.keep_snapshot(execution.snapshot, action, runner)
        if failure:
            result = {"error": failure, "traceback": ""}
            await self._transitions.enter_failed(tx, with_result(execution, result, encoded_size(result)), now)
        else:
            await self._transitions.enter(tx, execution, now, reservation)
        return execution

    async def re_run(
        self,
        execution_id: str,
        overrides: dict[str, Any],
        user: str | None,
        delay: int | None,
        tasks: Sequence[str] = (),
        reset: Sequence[str] = (),
        by: str = "",
    ) -> Execution:
        """Requests the same action again, with `overrides` over the stored parameters. If `tasks` are given, an ended
        workflow runs only these tasks and their followers again; all items of the tasks in `reset` run again. `by` is
        the execution that requests it.

        An override with `********` in place of a stored secret keeps that secret; its other parts are not rendered.
        Raises `NotFoundError` and `InvalidError`.
        """
        old = await self.get(execution_id)
        restored_overrides = _stored_secrets(overrides, old.parameters)
        parameters = old.parameters | overrides | restored_overrides
        if tasks or reset:
            _check_task_rerun(old, overrides)
        selection = {"tasks": list(tasks)} | ({"reset": list(reset)} if reset else {}) if tasks or reset else {}
        context: dict[str, Any] = {"re-run": {"ref": old.id, **selection}}
        trace_id = await self._store.read(lambda tx: tx.traces.of_execution(old.id))
        if trace_id is not None:
            context["trace_context"] = {"id_": trace_id}
        return await self.request(
            Request(
                action=old.action,
                parameters=parameters,
                user=user or None,
                context=context,
                delay=delay,
                notify=old.notify,
                plain=frozenset(old.parameters) - (overrides.keys() - restored_overrides.keys()),
                by=by,
            )
        )

    # -- reading

    async def resolve(self, execution_id: str) -> str:
        """Returns the id of the latest execution for `last`, else the id itself. Raises `NotFoundError` if there is no
        execution yet."""
        if execution_id != "last":
            return execution_id
        latest = await self._store.read(lambda tx: tx.executions.latest())
        if latest is None:
            raise NotFoundError("No execution has been requested yet.")
        return latest

    async def get(self, execution_id: str, with_result: bool = True) -> Execution:
        """Returns one execution. Raises `NotFoundError`."""
        execution = await self._store.read(lambda tx: tx.executions.get(execution_id, with_result))
        if execution is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        return execution

    async def find(
        self, where: ExecutionFilter, limit: int | None, offset: int, with_result: bool
    ) -> tuple[list[Execution], int, dict[str, list[str]]]:
        """Returns a page of executions, the number of matches (at most `COUNT_CAP`), and their children's ids."""

        async def work(tx: Tx) -> tuple[list[Execution], int, dict[str, list[str]]]:
            page = list(await tx.executions.find(where, limit, offset, with_result))
            total = await tx.executions.count(where, COUNT_CAP)
            return page, total, dict(await tx.executions.child_ids([execution.id for execution in page]))

        return await self._store.read(work)

    async def distinct(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Returns the sorted distinct values by name; `ports.ExecutionRows` lists the names."""
        return dict(await self._store.read(lambda tx: tx.executions.distinct(names)))

    async def children(
        self, execution_id: str, depth: int | None, with_result: bool
    ) -> tuple[list[Execution], dict[str, list[str]]]:
        """Returns descendants down to `depth` levels (None: all), and their children's ids. Raises `NotFoundError`.

        The order is StackStorm's: each execution comes before its own descendants; siblings are sorted by start.
        """

        async def work(tx: Tx) -> tuple[list[Execution], dict[str, list[str]]] | None:
            if await tx.executions.get(execution_id, False) is None:
                return None
            below = list(await tx.executions.descendants(execution_id, depth, with_result))
            return _in_order(execution_id, below), dict(await tx.executions.child_ids([each.id for each in below]))

        children = await self._store.read(work)
        if children is None:
            raise NotFoundError(f'Unable to identify resource with id "{execution_id}".')
        return children

    async def child_ids(self, execution_ids: Sequence[str]) -> dict[str, list[str]]:
        """Returns the ids of the direct children of each execution."""
        return dict(await self._store.read(lambda tx: tx.executions.child_ids(execution_ids)))


def _check_task_rerun(old: Execution, overrides: dict[str, Any]) -> None:
    """Raises `InvalidError`, in StackStorm's words, if tasks of the execution cannot be run again."""
    if old.runner not in WORKFLOW_RUNNERS or old.runner == "action-chain":
        raise InvalidError("Task option is only supported for Orquesta workflows.")
    if overrides:
        raise InvalidError("Parameters override is not supported when re-running task(s) for a workflow.")
    if old.status not in ex.FINAL:
        raise InvalidError("Unable to rerun workflow because it is not in a completed state.")


async def _with_parent(tx: Tx, execution: Execution) -> Execution:
    """Returns the execution as a child of the parent in its context, in that parent's tree. Raises `InvalidError`."""
    reference = execution.context.get("parent")
    if reference is None:
        return execution
    if not isinstance(reference, dict) or "execution_id" not in reference:
        raise InvalidError(f"context.parent: {reference!r} is not an object with an execution_id")
    parent_id = reference["execution_id"]
    parent = await tx.executions.get(parent_id, False) if isinstance(parent_id, str) else None
    if parent is None:
        raise InvalidError(f'context.parent.execution_id: there is no execution "{parent_id}".')
    root = parent if parent.tree == parent.id else await tx.executions.get(parent.tree, False)
    if root is None or root.status in ex.FINAL or parent.status in ex.FINAL:
        raise InvalidError(f'context.parent.execution_id: execution "{parent_id}" has ended and takes no children.')
    return msgspec.structs.replace(_with_depth_of(parent, execution), tree=parent.tree, parent=parent.id)


def _with_depth_of(origin: Execution | None, execution: Execution) -> Execution:
    """Returns the execution as one to which at least as many rules led as to `origin`."""
    depth = rule_depth(origin.context) if origin is not None else 0
    if depth <= rule_depth(execution.context):
        return execution
    return msgspec.structs.replace(execution, context=with_depth(execution.context, depth))


def _in_order(root: str, below: Sequence[Execution]) -> list[Execution]:
    """Returns the descendants of `root` with each before its own descendants. `below` is sorted by start."""
    children: dict[str, list[Execution]] = {}
    for execution in below:
        children.setdefault(execution.parent or "", []).append(execution)
    ordered: list[Execution] = []
    stack = children.get(root, [])[::-1]
    while stack:
        execution = stack.pop()
        ordered.append(execution)
        stack += children.get(execution.id, [])[::-1]
    return ordered


def _stored_secrets(overrides: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Returns the overrides that have asterisks for stored secrets, with the sealed secrets in place of the asterisks.

    Raises `InvalidError` if a value nests too deep.
    """
    check_depths(overrides)
    restored_overrides: dict[str, Any] = {}
    for name, value in overrides.items():
        if name in stored:
            whole = restored(value, masked(stored[name]), stored[name])
            if whole != value:
                restored_overrides[name] = whole
    return restored_overrides
