# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract suite of stores. A test class derives from `StoreContract`; its module has a fixture `store` that yields
an empty `ports.Store` and closes it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pytest

from squall.core.errors import SquallError
from squall.core.event import events
from squall.core.execution.execution import RUNNING, SUCCEEDED, Execution, change_of
from squall.ports import Store, Tx
from squall.testing.samples import NOON, sample_execution, sample_id
from squall.testing.tables.access import AccessContract
from squall.testing.tables.content import ContentContract
from squall.testing.tables.event.gates import GateContract
from squall.testing.tables.execution_filters import ExecutionFilterContract
from squall.testing.tables.executions import ExecutionContract
from squall.testing.tables.queue import QueueContract
from squall.testing.tables.rules import EnforcementContract, RuleContract
from squall.testing.tables.sealed_values import SealedValueContract
from squall.testing.tables.storage import StorageContract
from squall.testing.tables.suspects import SuspectContract
from squall.testing.tables.triggers import InstanceContract, TriggerContract
from squall.testing.tables.workflows import WorkflowContract


def inserting(number: int) -> Callable[[Tx], Awaitable[int]]:
    """Returns a unit of work that inserts the sample execution with this number and returns the number."""

    async def work(tx: Tx) -> int:
        await tx.executions.insert(sample_execution(number))
        return number

    return work


def adding(execution: Execution) -> Callable[[Tx], Awaitable[int]]:
    """Returns a unit of work that adds the event of the request of `execution` and returns its row."""
    return lambda tx: tx.events.add(change_of(execution, events.EXECUTION_CREATE, execution.start))


async def events_after(row: int, limit: int, tx: Tx) -> Sequence[events.Event]:
    """Returns at most `limit` events after `row`."""
    return await tx.events.after(row, limit)


async def known(store: Store) -> list[str]:
    """Returns the ids of all unfinished executions, oldest first."""
    return list(await store.read(lambda tx: tx.executions.unfinished(None)))


class BrokenError(Exception):
    """The error of a failing unit of work in these suites."""


@pytest.mark.anyio
class TransactionContract:
    """The contract of units of work."""

    async def test_a_unit_gives_what_its_work_returns(self, store: Store) -> None:
        """This holds for reading and writing units."""
        assert await store.tx(inserting(1)) == 1
        execution = await store.read(lambda tx: tx.executions.get(sample_id(1)))
        assert execution == sample_execution(1)

    async def test_a_unit_sees_what_it_has_written_itself(self, store: Store) -> None:
        """Later steps of a use case build on earlier ones."""

        async def work(tx: Tx) -> str | None:
            await tx.executions.insert(sample_execution(1))
            return await tx.executions.latest()

        assert await store.tx(work) == sample_id(1)

    async def test_a_failing_unit_leaves_nothing_and_raises_what_its_work_raised(self, store: Store) -> None:
        """Execution, event and queue row are written together or not at all."""

        async def work(tx: Tx) -> None:
            await tx.executions.insert(sample_execution(1))
            await tx.events.add(change_of(sample_execution(1), events.EXECUTION_CREATE, NOON))
            await tx.queue.put("run", sample_id(1), None, NOON)
            raise BrokenError

        with pytest.raises(BrokenError):
            await store.tx(work)
        assert await known(store) == []
        assert await store.read(lambda tx: tx.queue.depths()) == {}
        assert await store.read(lambda tx: tx.events.after(0, 10)) == []

    async def test_a_failing_unit_takes_no_other_with_it(self, store: Store) -> None:
        """Concurrent units may be committed together, but each one fails alone."""

        async def failing(tx: Tx) -> int:
            await tx.executions.insert(sample_execution(1000))
            raise BrokenError

        numbers = range(1, 61)
        units = [store.tx(failing if number % 3 == 0 else inserting(number)) for number in numbers]
        outcomes = await asyncio.gather(*units, return_exceptions=True)
        for number, outcome in zip(numbers, outcomes, strict=True):
            assert isinstance(outcome, BrokenError) if number % 3 == 0 else outcome == number
        assert await known(store) == [sample_id(number) for number in numbers if number % 3]

    async def test_a_statement_the_database_refuses_fails_its_unit_only(self, store: Store) -> None:
        """Here the statement inserts an id that exists already."""
        await store.tx(inserting(1))
        outcomes = await asyncio.gather(
            store.tx(inserting(2)), store.tx(inserting(1)), store.tx(inserting(3)), return_exceptions=True
        )
        assert outcomes[0] == 2
        assert isinstance(outcomes[1], Exception)
        assert outcomes[2] == 3
        assert await known(store) == [sample_id(1), sample_id(2), sample_id(3)]

    async def test_a_unit_may_catch_what_a_step_of_it_raises_and_go_on(self, store: Store) -> None:
        """This holds if the step has not changed the tables."""

        async def work(tx: Tx) -> None:
            try:
                raise BrokenError
            except BrokenError:
                await tx.executions.insert(sample_execution(1))

        await store.tx(work)
        assert await known(store) == [sample_id(1)]

    async def test_a_reader_sees_every_unit_that_has_ended(self, store: Store) -> None:
        """A client that has got a response can read its effect."""
        for number in range(1, 20):
            await store.tx(inserting(number))
            assert await store.read(lambda tx: tx.executions.latest()) == sample_id(number)

    async def test_a_reader_cannot_write(self, store: Store) -> None:
        """Reading units may run at the same time as the writer."""
        outcome = await asyncio.gather(store.read(inserting(1)), return_exceptions=True)
        assert isinstance(outcome[0], Exception)
        assert await known(store) == []

    async def test_a_failing_reader_fails_alone(self, store: Store) -> None:
        """The next reading unit works."""

        async def work(tx: Tx) -> None:
            await tx.executions.latest()
            raise BrokenError

        for _ in range(4):
            with pytest.raises(BrokenError):
                await store.read(work)
        assert await known(store) == []

    async def test_a_caller_that_gives_up_disturbs_nobody(self, store: Store) -> None:
        """Its unit may or may not be committed; the concurrent units are."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.tx(inserting(number))) for number in range(1, 11)]
            await asyncio.sleep(0)
            tasks[4].cancel()
        assert {sample_id(number) for number in range(1, 11) if number != 5} <= set(await known(store))

    async def test_concurrent_units_that_read_and_write_lose_no_update(self, store: Store) -> None:
        """Units are serial: until a unit ends, no other unit changes the rows that it reads."""
        await store.tx(inserting(1))

        async def count_up(tx: Tx) -> None:
            execution = await tx.executions.get(sample_id(1))
            assert execution is not None
            count = execution.context.get("count", 0) + 1
            await tx.executions.update(sample_execution(1, context={"count": count}))

        await asyncio.gather(*(store.tx(count_up) for _ in range(40)))
        execution = await store.read(lambda tx: tx.executions.get(sample_id(1)))
        assert execution is not None
        assert execution.context == {"count": 40}

    async def test_a_closed_store_refuses_and_has_kept_what_came_before(self, store: Store) -> None:
        """Closing waits for running units. Later units raise `SquallError`, whose text is for people."""
        async with asyncio.TaskGroup() as group:
            pending = [group.create_task(store.tx(inserting(number))) for number in range(1, 6)]
            await asyncio.sleep(0)
            await store.close()
        assert [task.result() for task in pending] == [1, 2, 3, 4, 5]
        await store.close()
        with pytest.raises(SquallError):
            await store.tx(inserting(6))
        with pytest.raises(SquallError):
            await store.read(lambda tx: tx.executions.latest())


@pytest.mark.anyio
class EventContract:
    """The contract of `ports.EventRows`."""

    async def fill(self, store: Store, count: int) -> list[int]:
        """Adds events of `count` executions, one transaction each. Returns their rows."""
        return [await store.tx(adding(sample_execution(number))) for number in range(1, count + 1)]

    async def test_rows_count_up_and_tell_the_change(self, store: Store) -> None:
        """The event of an execution has the execution's id."""
        rows = await self.fill(store, 3)
        assert rows == sorted(set(rows))
        later = await store.read(lambda tx: tx.events.after(rows[0], 10))
        assert later == [
            events.Event(
                id=rows[number - 1],
                kind=events.EXECUTION,
                name=events.EXECUTION_CREATE,
                resource=sample_id(number),
                tree=sample_id(number),
                status="requested",
                at=sample_execution(number).start,
            )
            for number in (2, 3)
        ]

    async def test_an_event_of_any_kind_keeps_its_document(self, store: Store) -> None:
        """The document has the same bytes, for any kind of resource."""
        change, document = events.Change(kind="rule", name="st2.rule__update", resource="p.r", at=NOON), '{"a":"ü"}'
        row = await store.tx(lambda tx: tx.events.add(change, document.encode()))
        (event,) = await store.read(lambda tx: tx.events.after(0, 10))
        assert event == events.Event(id=row, **msgspec.structs.asdict(change))
        assert await store.read(lambda tx: tx.events.of("rule", "p.r")) == [event]
        assert await store.read(lambda tx: tx.events.document(row)) == document.encode()

    async def test_an_event_without_a_document_and_no_event_have_none(self, store: Store) -> None:
        """The resource of such an event has the document."""
        (row,) = await self.fill(store, 1)
        assert await store.read(lambda tx: tx.events.document(row)) == b""
        assert await store.read(lambda tx: tx.events.document(row + 1)) == b""

    async def test_events_of_one_kind_are_none_of_another(self, store: Store) -> None:
        """An announcement and the events of its execution have the same resource id."""
        (first,) = await self.fill(store, 1)
        change = events.Announcement("general", 1).change(sample_id(1), sample_id(1), NOON)
        second = await store.tx(lambda tx: tx.events.add(change, b"1"))
        for kind, row in ((events.EXECUTION, first), (events.ANNOUNCEMENT, second)):
            matches = await store.read(lambda tx, kind=kind: tx.events.of(kind, sample_id(1)))  # type: ignore[misc]
            assert [event.id for event in matches] == [row]

    async def test_a_page_is_as_long_as_asked(self, store: Store) -> None:
        """Readers continue after the last row of a page."""
        rows = await self.fill(store, 5)
        pages = []
        for row in (0, rows[1], rows[3], rows[4]):
            page = await store.read(functools.partial(events_after, row, 2))
            pages.append([event.id for event in page])
        assert pages == [rows[:2], rows[2:4], rows[4:], []]

    async def test_bounds_are_zero_before_the_first_event(self, store: Store) -> None:
        """There is no event to resume from."""
        assert await store.read(lambda tx: tx.events.bounds()) == (0, 0)

    async def test_bounds_are_the_first_and_the_last_row(self, store: Store) -> None:
        """With them a reader checks whether the store still has the events that it missed."""
        rows = await self.fill(store, 4)
        assert await store.read(lambda tx: tx.events.bounds()) == (rows[0], rows[-1])

    async def test_pruning_keeps_the_newest_and_tells_how_many_went(self, store: Store) -> None:
        """A second call removes no row."""
        rows = await self.fill(store, 6)
        assert await store.tx(lambda tx: tx.events.prune(2)) == 4
        assert await store.tx(lambda tx: tx.events.prune(2)) == 0
        assert await store.read(lambda tx: tx.events.bounds()) == (rows[4], rows[5])
        assert [event.id for event in await store.read(lambda tx: tx.events.after(0, 10))] == rows[4:]

    async def test_rows_go_on_counting_after_pruning(self, store: Store) -> None:
        """A row number is never used twice. Otherwise a client that resumes would miss a change."""
        rows = await self.fill(store, 3)
        await store.tx(lambda tx: tx.events.prune(1))
        execution = sample_execution(9)
        assert await store.tx(lambda tx: tx.events.add(change_of(execution, events.EXECUTION_UPDATE, NOON))) > rows[-1]

    async def test_the_events_of_one_execution_come_in_order(self, store: Store) -> None:
        """Events of other executions may lie between them."""
        first, second = sample_execution(1), sample_execution(2)

        async def work(tx: Tx) -> list[int]:
            rows = []
            for status in ("requested", RUNNING, SUCCEEDED):
                for each in (first, second):
                    execution = sample_execution(1, id=each.id, tree=first.id, status=status)
                    rows.append(await tx.events.add(change_of(execution, events.EXECUTION_UPDATE, NOON)))
            return rows

        rows = await store.tx(work)
        matches = await store.read(lambda tx: tx.events.of(events.EXECUTION, second.id))
        assert [event.id for event in matches] == rows[1::2]
        assert [event.status for event in matches] == ["requested", RUNNING, SUCCEEDED]
        assert {event.tree for event in matches} == {first.id}


class StoreContract(
    TransactionContract,
    ExecutionContract,
    ExecutionFilterContract,
    QueueContract,
    EventContract,
    ContentContract,
    AccessContract,
    StorageContract,
    SuspectContract,
    WorkflowContract,
    SealedValueContract,
    TriggerContract,
    InstanceContract,
    RuleContract,
    EnforcementContract,
    GateContract,
):
    """The whole contract of `ports.Store`."""
