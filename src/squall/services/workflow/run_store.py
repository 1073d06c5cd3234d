"""Stores the runs of workflows as facts and snapshots, and restores them."""

from __future__ import annotations

import asyncio
import base64

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.workflow.conducting.conductor import Conductor, Step
from squall.core.workflow.conducting.facts import decode_facts, encode_facts
from squall.core.workflow.conducting.snapshots import restored, snapshot
from squall.core.workflow.conducting.state import State
from squall.ports import Clock, Store, Tx, Vault, WorkflowRecord
from squall.services.execution.binding import Binding
from squall.services.workflow.definitions import Definitions
from squall.services.workflow.expressions import KeyReader, Lookups
from squall.services.workflow.run import Run

_SNAPSHOT_FROM = 256 << 10
_PLAIN, _SEALED = b"\0", b"\1"


class RunStore:
    """The stored runs of workflows. A run that may contain secrets is encrypted. `most_tasks` is the largest number of
    runs of tasks in one workflow."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        vault: Vault,
        binding: Binding,
        definitions: Definitions,
        keys: KeyReader,
        most_tasks: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._binding = binding
        self._definitions = definitions
        self._keys = keys
        self._most_tasks = most_tasks

    async def peek(self, execution: Execution) -> State | None:
        """Returns the stored state of a workflow, for reading only; None if it has none."""
        if await self._store.read(lambda tx: tx.workflows.seq(execution.id)) is None:
            return None
        run = await self.restore(execution)
        return run.conductor.state if run.conductor is not None else None

    async def restore(self, execution: Execution) -> Run:
        """Returns the run of a workflow from its latest snapshot and the facts after it. Raises `InvalidError` if the
        store has no state of it."""

        async def work(tx: Tx) -> tuple[WorkflowRecord | None, list[bytes]]:
            record = await tx.workflows.get(execution.id)
            after = record.snapshot_seq if record is not None else 0
            return record, list(await tx.workflows.facts(execution.id, after))

        record, batches = await self._store.read(work)
        if record is None:
            raise InvalidError(f'The state of workflow "{execution.id}" is gone')
        graph = await self._definitions.graph(record.definition)
        state = State(graph) if record.snapshot is None else restored(graph, self._opened(record.snapshot))
        for batch in batches:
            for fact in decode_facts(self._opened(batch)):
                state.apply(fact)
        # Secrets may also come from defaults, which the parameters of the execution do not contain.
        was_sealed = any(data[:1] == _SEALED for data in (record.snapshot, *batches) if data is not None)
        return self.run(execution, record, state, was_sealed)

    def run(self, execution: Execution, record: WorkflowRecord, state: State, secret: bool) -> Run:
        """Returns the run in memory of a workflow with this state."""
        loop = asyncio.get_running_loop()
        reveal = self._binding.reveal
        lookups = Lookups(self._store, self._clock, self._keys, reveal, record.workflow, execution.user, loop)
        conductor = Conductor(state, None, lookups, self._most_tasks)
        secret = secret or ex.holds_sealed(execution.parameters)
        return Run(execution, record, conductor, lookups, secret=secret)

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
            record = self.with_snapshot(record, run)
            assert record.snapshot is not None  # noqa: S101 - it was made in the line before
            await tx.workflows.keep(record.execution, record.seq, record.snapshot)
        run.record = record
        return True

    def with_snapshot(self, record: WorkflowRecord, run: Run) -> WorkflowRecord:
        """Returns the record with a snapshot of the run's state, which replaces all facts up to `record.seq`."""
        assert run.conductor is not None  # noqa: S101 - only such a run has a state
        data = self._closed(snapshot(run.conductor.state), run)
        return msgspec.structs.replace(record, snapshot=data, snapshot_seq=record.seq, since=0)

    def _closed(self, data: bytes, run: Run) -> bytes:
        """Returns the bytes for the store, sealed if they may contain secrets."""
        if not run.secret:
            return _PLAIN + data
        return _SEALED + self._vault.seal(base64.b85encode(data).decode()).encode()

    def _opened(self, data: bytes) -> bytes:
        if data[:1] == _PLAIN:
            return data[1:]
        return base64.b85decode(self._vault.open(data[1:].decode()))
