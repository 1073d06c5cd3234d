# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of workflows; a part of `squall.testing.tables.store`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from squall.core.execution.execution import Execution
from squall.ports import Store, Tx, WorkflowRecord
from squall.testing.samples import sample_execution, sample_id

_BYTES = bytes(range(256))


def appending(number: int) -> Callable[[Tx], Awaitable[bool]]:
    """Returns a unit of work that writes batch `number`."""
    return lambda tx: tx.workflows.append(sample_id(1), number, b"%d" % number)


def inserting(execution: Execution) -> Callable[[Tx], Awaitable[None]]:
    """Returns a unit of work that adds an execution."""
    return lambda tx: tx.executions.insert(execution)


def adding_child(item: int, number: int) -> Callable[[Tx], Awaitable[None]]:
    """Returns a unit of work that records execution `number` as the child of an item."""
    return lambda tx: tx.workflows.add_child(sample_id(7), item, sample_id(number))


@pytest.mark.anyio
class WorkflowContract:
    """The contract of `ports.WorkflowRows`."""

    async def test_a_workflow_is_kept_with_its_bytes(self, store: Store) -> None:
        """It equals the inserted record. A second insert changes nothing."""
        record = WorkflowRecord(sample_id(1), sample_id(2), "key", 3, _BYTES, 2, 7)
        await store.tx(lambda tx: tx.workflows.insert(record))
        await store.tx(lambda tx: tx.workflows.insert(WorkflowRecord(sample_id(1), sample_id(9), "other")))
        assert await store.read(lambda tx: tx.workflows.get(sample_id(1))) == record
        assert await store.read(lambda tx: tx.workflows.seq(sample_id(1))) == 3
        assert await store.read(lambda tx: tx.workflows.get(sample_id(2))) is None
        assert await store.read(lambda tx: tx.workflows.seq(sample_id(2))) is None

    async def test_a_batch_of_facts_is_written_once_and_in_order(self, store: Store) -> None:
        """A batch with a used number, or with a gap before it, returns False and is not stored."""
        await store.tx(lambda tx: tx.workflows.insert(WorkflowRecord(sample_id(1), sample_id(2), "key")))
        assert await store.tx(lambda tx: tx.workflows.append(sample_id(1), 1, _BYTES))
        assert not await store.tx(lambda tx: tx.workflows.append(sample_id(1), 1, b"late"))
        assert not await store.tx(lambda tx: tx.workflows.append(sample_id(1), 3, b"early"))
        assert await store.tx(lambda tx: tx.workflows.append(sample_id(1), 2, b""))
        assert list(await store.read(lambda tx: tx.workflows.facts(sample_id(1), 0))) == [_BYTES, b""]
        assert list(await store.read(lambda tx: tx.workflows.facts(sample_id(1), 1))) == [b""]
        record = await store.read(lambda tx: tx.workflows.get(sample_id(1)))
        assert record is not None
        assert (record.seq, record.since) == (2, len(_BYTES))

    async def test_a_snapshot_takes_the_place_of_the_batches_up_to_it(self, store: Store) -> None:
        """Later batches stay."""
        await store.tx(lambda tx: tx.workflows.insert(WorkflowRecord(sample_id(1), sample_id(2), "key")))
        for number in (1, 2, 3):
            await store.tx(appending(number))
        await store.tx(lambda tx: tx.workflows.keep(sample_id(1), 2, _BYTES))
        record = await store.read(lambda tx: tx.workflows.get(sample_id(1)))
        assert record is not None
        assert (record.seq, record.snapshot, record.snapshot_seq, record.since) == (3, _BYTES, 2, 0)
        assert list(await store.read(lambda tx: tx.workflows.facts(sample_id(1), 0))) == [b"3"]

    async def test_a_definition_is_kept_under_its_hash(self, store: Store) -> None:
        """A second call is no error."""
        for _ in range(2):
            await store.tx(lambda tx: tx.workflows.keep_definition("key", "version: 1.0 ü\n"))
        assert await store.read(lambda tx: tx.workflows.definition("key")) == "version: 1.0 ü\n"
        assert await store.read(lambda tx: tx.workflows.definition("nosuch")) is None

    async def test_the_children_of_a_task_are_given_by_item_with_their_results(self, store: Store) -> None:
        """A later attempt of an item replaces the earlier one."""
        for number in (1, 2, 3):
            await store.tx(inserting(sample_execution(number)))
        done = sample_execution(3, status="succeeded", result={"a": 1})
        await store.tx(lambda tx: tx.executions.update(done))
        for item, number in ((1, 1), (0, 2), (1, 3)):
            await store.tx(adding_child(item, number))
        children = await store.read(lambda tx: tx.workflows.children(sample_id(7)))
        assert list(children) == [(0, sample_id(2), "requested", None), (1, sample_id(3), "succeeded", {"a": 1})]
        assert list(await store.read(lambda tx: tx.workflows.children(sample_id(8)))) == []
