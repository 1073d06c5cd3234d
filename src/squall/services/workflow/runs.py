"""Loads, begins and stores the runs of workflows. The store holds a run as facts."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec

from squall.core.content.action import WORKFLOW_RUNNERS, split_parameters
from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.workflow.conducting.conductor import Conductor, Step
from squall.core.workflow.conducting.facts import decode_facts, encode_facts
from squall.core.workflow.conducting.rerun import FAILED_TASKS, TaskRerun
from squall.core.workflow.conducting.state import State
from squall.ports import Clock, Due, Store, Tx, Vault, WorkflowRecord
from squall.services.content.content import Content
from squall.services.execution.binding import Binding
from squall.services.lanes import ChildChanged, Start, advance_of
from squall.services.workflow.definitions import Definitions
from squall.services.workflow.expressions import KeyReader, Lookups
from squall.services.workflow.run import Run, RunCache

CHAIN = "action-chain"
_SNAPSHOT_FROM = 256 << 10
_PLAIN, _SEALED = b"\0", b"\1"


class WorkflowLimits(msgspec.Struct, frozen=True):
    """The limits of one workflow: `most_tasks` runs of tasks, and `most_nested` levels of workflows in workflows."""

    most_tasks: int = 100_000
    most_nested: int = 500


class Runs:
    """The runs of workflows. Some stay in memory; they are current if the store has the same batch number."""

    workflow_runners = WORKFLOW_RUNNERS

    def __init__(
        self,
        store: Store,
        clock: Clock,
        vault: Vault,
        content: Content,
        binding: Binding,
        definitions: Definitions,
        keys: KeyReader,
        runner_info: dict[str, Any],
        url: str,
        limits: WorkflowLimits,
    ) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._content = content
        self._binding = binding
        self._definitions = definitions
        self._keys = keys
        self.runner_info = runner_info
        self._url = url
        self._limits = limits
        self._cache = RunCache()

    def forget(self, execution_id: str) -> None:
        """Drops a run from memory. Its stored state stays."""
        self._cache.drop(execution_id)

    async def notified(self, execution: Execution) -> list[str]:
        """Returns the tasks in the workflow's parameter `notify`: their executions get the workflow's notifications."""
        if not execution.notify and "notify" not in execution.parameters:
            return []
        action, _ = await self._content.snapshot(execution.snapshot)
        names = execution.parameters.get("notify", action.parameters.get("notify", {}).get("default"))
        return [str(name) for name in names] if isinstance(names, list) else []

    # -- loading

    async def load(self, execution_id: str, tasks: list[Due]) -> Run | None:
        """Returns the workflow's run, with the children named in `tasks`; None if it has ended or does not exist.

        Raises `SquallError` if it cannot be loaded now.
        """
        children = {advance.execution for advance in map(advance_of, tasks) if isinstance(advance, ChildChanged)}

        async def work(tx: Tx) -> tuple[Execution | None, int | None, dict[str, Execution], bool]:
            changes = {}
            for child_id in children:
                child = await tx.executions.get(child_id)
                if child is not None:
                    changes[child_id] = child
            execution = await tx.executions.get(execution_id, False)
            starts = execution is not None and any(isinstance(advance_of(task), Start) for task in tasks)
            too_deep = starts and await self._too_deep(tx, execution)
            return execution, await tx.workflows.seq(execution_id), changes, too_deep

        execution, seq, changes, too_deep = await self._store.read(work)
        if execution is None or execution.status in ex.FINAL or execution.runner not in WORKFLOW_RUNNERS:
            # A requester may put any parent into a child's context. A parent that is no workflow is ignored.
            self.forget(execution_id)
            return None
        if too_deep:
            return Run(execution, result=(ex.FAILED, self._nested_too_deep(execution)))
        if execution.runner == CHAIN:
            return Run(execution, is_chain=True)
        run = self._cache.get(execution_id)
        if run is None or run.record is None or run.record.seq != seq:
            run = await (self._begin(execution) if seq is None else self._restore(execution))
            self._cache.add(execution_id, run)
        run.execution = execution
        run.changes = changes
        return run

    async def _too_deep(self, tx: Tx, execution: Execution | None) -> bool:
        """Checks whether a workflow has too many ancestors. A workflow that runs itself would never end."""
        for _ in range(self._limits.most_nested + 1):
            if execution is None or execution.parent is None:
                return False
            execution = await tx.executions.get(execution.parent, False)
        return True

    def _nested_too_deep(self, execution: Execution) -> dict[str, Any]:
        text = f"The workflow is in {self._limits.most_nested} others, and it may be in no more (workflow.most_nested)."
        return {"error": text} if execution.runner == CHAIN else {"errors": [_error(text)], "output": None}

    async def peek(self, execution: Execution) -> State | None:
        """Returns the stored state of a workflow, for reading only; None if it has none."""
        if await self._store.read(lambda tx: tx.workflows.seq(execution.id)) is None:
            return None
        run = await self._restore(execution)
        return run.conductor.state if run.conductor is not None else None

    async def _restore(self, execution: Execution) -> Run:
        async def work(tx: Tx) -> tuple[WorkflowRecord | None, list[bytes]]:
            record = await tx.workflows.get(execution.id)
            after = record.snapshot_seq if record is not None else 0
            return record, list(await tx.workflows.facts(execution.id, after))

        record, batches = await self._store.read(work)
        if record is None:
            raise InvalidError(f'The state of workflow "{execution.id}" is gone')
        graph = await self._definitions.graph(record.definition)
        state = State(graph) if record.snapshot is None else State.restored(graph, self._opened(record.snapshot))
        for batch in batches:
            for fact in decode_facts(self._opened(batch)):
                state.apply(fact)
        # Secrets may also come from defaults, which the parameters of the execution do not contain.
        was_sealed = any(data[:1] == _SEALED for data in (record.snapshot, *batches) if data is not None)
        return self._run(execution, record, state, was_sealed)

    def _run(self, execution: Execution, record: WorkflowRecord, state: State, secret: bool) -> Run:
        loop = asyncio.get_running_loop()
        reveal = self._binding.reveal
        lookups = Lookups(self._store, self._clock, self._keys, reveal, record.workflow, execution.user, loop)
        conductor = Conductor(state, None, lookups, self._limits.most_tasks)
        secret = secret or ex.holds_sealed(execution.parameters)
        return Run(execution, record, conductor, lookups, secret=secret)

    async def _begin(self, execution: Execution) -> Run:
        """Returns a new run. If the workflow's definition has faults, they are the run's result."""
        rerun = execution.context.get("re-run")
        if isinstance(rerun, dict) and (rerun.get("tasks") or rerun.get("reset")):
            return await self._begin_again(execution, rerun)
        try:
            action, runner = await self._content.snapshot(execution.snapshot)
            bound = await self._binding.run(execution, action, runner)
            text = await self._content.file(action)
            complaints = await self._definitions.inspect(text)
        except InvalidError as error:
            return Run(execution, result=(ex.FAILED, {"errors": [_error(str(error))], "output": None}))
        if complaints:
            return Run(execution, result=(ex.FAILED, {"errors": complaints, "output": None}))
        key, graph = self._definitions.read(text)
        if unknown := [name for name in await self.notified(execution) if name not in graph.workflow.tasks]:
            text = f"notify: the workflow has no such task: {', '.join(unknown)}"
            return Run(execution, result=(ex.FAILED, {"errors": [_error(text)], "output": None}))
        record = WorkflowRecord(execution.id, self._clock.new_id(), key)
        run = self._run(execution, record, State(graph), bool(bound.secrets))
        _, run.inputs = split_parameters(bound.values, runner)
        run.text, run.begins = text, True
        run.context = {
            "st2": {
                "action_execution_id": execution.id,
                "api_url": f"{self._url}/v1",
                "user": execution.user,
                "pack": action.pack,
                "action": action.ref,
                "runner": runner.name,
                "workflow_execution_id": record.workflow,
                **{
                    name: execution.context[name]
                    for name in ("api_user", "source_channel")
                    if name in execution.context
                },
            }
        }
        if "parent" in execution.context:
            run.context["parent"] = execution.context["parent"]
        return run

    async def _begin_again(self, execution: Execution, rerun: dict[str, Any]) -> Run:
        """Returns a run that continues from the state of an ended workflow."""

        async def work(tx: Tx) -> tuple[WorkflowRecord | None, Execution | None]:
            return await tx.workflows.get(rerun["ref"]), await tx.executions.get(rerun["ref"], False)

        record, old = await self._store.read(work)
        if record is None or old is None:
            message = "Unable to rerun workflow execution because it is not found."
            return Run(execution, result=(ex.FAILED, {"errors": [{"message": message}], "output": None}))
        restored = await self._restore(old)
        assert restored.conductor is not None  # noqa: S101 - a restored run has one
        latest = {task for task, _ in restored.conductor.state.latest}
        reset = list(rerun.get("reset") or ())
        tasks = list(rerun.get("tasks") or ()) or reset
        if tasks == [FAILED_TASKS]:
            tasks = []
        missing = [name for name in tasks if name not in latest]
        if missing:
            message = f"Unable to rerun workflow because one or more tasks is not found: {', '.join(missing)}"
            return Run(execution, result=(ex.FAILED, {"errors": [{"message": message}], "output": None}))
        record = msgspec.structs.replace(record, execution=execution.id, seq=0, snapshot_seq=0, since=0)
        record = msgspec.structs.replace(record, snapshot=self._closed(restored.conductor.state.snapshot(), restored))
        run = self._run(execution, record, restored.conductor.state, restored.secret)
        run.begins = True
        run.reset = reset
        run.reruns = [
            TaskRerun(task, route, task in reset) for task, route in restored.conductor.state.latest if task in tasks
        ]
        return run

    # -- storing

    async def store(self, tx: Tx, run: Run, steps: list[Step]) -> bool:
        """Stores the facts of the steps. Returns False if another server has written since this one's read."""
        if run.record is None:
            return True
        if run.record.seq == 0:
            if run.text is not None:
                await tx.workflows.keep_definition(run.record.definition, run.text)
            await tx.workflows.insert(run.record)
        facts = [fact for step in steps for fact in step.facts]
        if not facts:
            return True
        assert run.conductor is not None and run.lookups is not None  # noqa: S101 - facts come from a conductor
        run.secret = run.secret or run.lookups.secret_read
        body = self._closed(encode_facts(facts), run)
        if not await tx.workflows.append(run.record.execution, run.record.seq + 1, body):
            return False
        record = msgspec.structs.replace(run.record, seq=run.record.seq + 1, since=run.record.since + len(body))
        if record.since > max(_SNAPSHOT_FROM, len(record.snapshot or b"")):
            snapshot = self._closed(run.conductor.state.snapshot(), run)
            await tx.workflows.keep(record.execution, record.seq, snapshot)
            record = msgspec.structs.replace(record, snapshot=snapshot, snapshot_seq=record.seq, since=0)
        run.record = record
        return True

    def _closed(self, data: bytes, run: Run) -> bytes:
        """Returns the bytes for the store, sealed if they may contain secrets."""
        if not run.secret:
            return _PLAIN + data
        return _SEALED + self._vault.seal(base64.b85encode(data).decode()).encode()

    def _opened(self, data: bytes) -> bytes:
        if data[:1] == _PLAIN:
            return data[1:]
        return base64.b85decode(self._vault.open(data[1:].decode()))


def _error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}
