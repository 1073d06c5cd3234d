# ruff: noqa: S101 - asserting is what a contract suite is for
"""The contract of the tables of sealed journals and of the removal of executions."""

from __future__ import annotations

import pytest

from squall.core.event import events
from squall.core.execution.execution import RUNNING, SUCCEEDED, change_of
from squall.ports import BLOB, FILE, ROW, Seal, Store, Tx
from squall.ports.tables.workflows import WorkflowRecord
from squall.testing.samples import NOON, sample_execution, sample_id

LATER = NOON + 10**12


def seal(place: str = FILE, stored: int = 10) -> Seal:
    """Returns a seal of a journal of 1000 bytes."""
    return Seal(place, 1000, stored, "d" * 64)


async def family(store: Store, number: int, children: int = 1, *, running: bool = False) -> list[str]:
    """Inserts a finished root with children, their events and results. Returns their ids, the root's first.

    With `running`, the last child still runs.
    """
    root = sample_execution(number, status=SUCCEEDED, end=NOON + number * 1_000_000 + 5, result={"n": number})
    members = [root]
    for child in range(1, children + 1):
        status = RUNNING if running and child == children else SUCCEEDED
        end = None if status == RUNNING else NOON
        members.append(
            sample_execution(number * 100 + child, tree=root.id, parent=root.id, status=status, end=end, result=[child])
        )

    async def work(tx: Tx) -> None:
        for member in members:
            await tx.executions.insert(member)
            await tx.events.add(change_of(member, events.EXECUTION_CREATE, member.start))

    await store.tx(work)
    return [member.id for member in members]


@pytest.mark.anyio
class StorageContract:
    """The contract of `ports.JournalRows` and `ports.RetentionRows`."""

    async def test_a_seal_is_kept_with_its_execution_and_replaced_by_the_next(self, store: Store) -> None:
        """A seal without an execution is not stored."""
        await family(store, 1)
        seals = {sample_id(1): seal(), sample_id(50): seal()}
        await store.tx(lambda tx: tx.journals.keep(seals, NOON))
        assert await store.read(lambda tx: tx.journals.get(sample_id(1))) == seal()
        assert await store.read(lambda tx: tx.journals.get(sample_id(50))) is None
        await store.tx(lambda tx: tx.journals.keep({sample_id(1): seal(BLOB, 7)}, LATER))
        assert await store.read(lambda tx: tx.journals.get(sample_id(1))) == seal(BLOB, 7)

    async def test_a_tree_is_complete_when_all_has_ended_and_nothing_waits_to_be_copied(self, store: Store) -> None:
        """A tree with a running child or a row in lane `journal` is not complete."""
        for number in (1, 2, 3):
            await family(store, number, running=number == 2)
        await store.tx(lambda tx: tx.queue.put("journal", sample_id(301), None, NOON))
        trees = [sample_id(number) for number in (1, 2, 3, 4)]
        assert await store.read(lambda tx: tx.journals.complete(trees)) == [sample_id(1)]

    async def test_files_that_were_sealed_before_a_time_may_move(self, store: Store) -> None:
        """They are listed oldest first."""
        for number in (1, 2, 3):
            await family(store, number)
        for number, place in ((2, FILE), (1, FILE), (3, ROW)):
            seals = {sample_id(number): seal(place)}
            await store.tx(lambda tx, seals=seals, at=NOON - number: tx.journals.keep(seals, at))  # type: ignore[misc]
        assert await store.read(lambda tx: tx.journals.movable(NOON, 10)) == [sample_id(2), sample_id(1)]
        assert await store.read(lambda tx: tx.journals.movable(NOON - 1, 10)) == [sample_id(2)]
        assert await store.read(lambda tx: tx.journals.movable(NOON, 1)) == [sample_id(2)]

    async def test_sums_are_told_by_place_and_by_action(self, store: Store) -> None:
        """The number of executions includes those without output."""
        for number in (1, 2):
            await family(store, number)
        await store.tx(lambda tx: tx.journals.keep({sample_id(1): seal(ROW, 3), sample_id(2): seal(FILE, 4)}, NOON))
        assert await store.read(lambda tx: tx.journals.totals()) == {ROW: (1, 1000, 3), FILE: (1, 1000, 4)}
        assert await store.read(lambda tx: tx.journals.by_action(5)) == [("core.local", 4, 2000, 7)]

    async def test_finished_trees_are_listed_in_order_behind_a_cursor(self, store: Store) -> None:
        """Trees with a running execution are not listed."""
        for number in (1, 2, 3, 4):
            await family(store, number, running=number == 2)
        await store.tx(lambda tx: tx.journals.keep({sample_id(3): seal()}, NOON))
        first = await store.read(lambda tx: tx.retention.finished((0, ""), LATER, 2))
        assert [(tree.id, tree.stored) for tree in first] == [(sample_id(1), 0), (sample_id(3), 10)]
        assert (first[0].action, first[0].status, first[0].end) == ("core.local", SUCCEEDED, first[0].start + 5)
        cursor = (first[-1].start, first[-1].id)
        second = await store.read(lambda tx: tx.retention.finished(cursor, LATER, 9))
        assert [tree.id for tree in second] == [sample_id(4)]
        assert await store.read(lambda tx: tx.retention.finished((0, ""), first[0].start, 9)) == []

    async def test_a_purge_takes_whole_trees_and_nothing_else(self, store: Store) -> None:
        """The purge deletes their rows from every table."""
        purged, others = await family(store, 1, 3), await family(store, 2, 2)
        await store.tx(lambda tx: tx.journals.keep({purged[0]: seal(), others[0]: seal()}, NOON))
        await store.tx(lambda tx: tx.queue.put("run", purged[1], None, NOON))
        assert await store.read(lambda tx: tx.retention.count([purged[0]])) == 4
        assert await store.tx(lambda tx: tx.retention.purge([purged[0], sample_id(77)])) == 4

        async def remaining(tx: Tx) -> list[tuple[bool, int]]:
            return [
                (await tx.executions.get(each) is not None, len(await tx.events.of(events.EXECUTION, each)))
                for each in (*purged, *others)
            ]

        assert await store.read(remaining) == [(False, 0)] * 4 + [(True, 1)] * 3
        assert await store.read(lambda tx: tx.queue.depths()) == {}
        assert await store.read(lambda tx: tx.journals.get(purged[0])) is None
        assert await store.read(lambda tx: tx.journals.get(others[0])) == seal()
        child = await store.read(lambda tx: tx.executions.get(others[1]))
        assert child is not None
        assert child.result == [1]

    async def test_a_purge_takes_the_state_of_workflows_with_it(self, store: Store) -> None:
        """The purge deletes facts, children and, if no other workflow uses it, the text."""
        purged, others = await family(store, 1), await family(store, 2)

        async def begin(tx: Tx) -> None:
            for members, text in ((purged, "a"), (others, "b")):
                await tx.workflows.keep_definition(text, text)
                await tx.workflows.insert(WorkflowRecord(members[0], "p.w", text, 0, None, 0, 0))
                await tx.workflows.append(members[0], 1, b"facts")
                await tx.workflows.add_child(text, 0, members[1])

        await store.tx(begin)
        await store.tx(lambda tx: tx.retention.purge([purged[0]]))
        await store.tx(lambda tx: tx.retention.drop_snapshots([], LATER))

        async def remaining(tx: Tx) -> list[tuple[bool, int, str | None]]:
            return [
                (
                    await tx.workflows.get(members[0]) is not None,
                    len(await tx.workflows.facts(members[0], 0)),
                    await tx.workflows.definition(text),
                )
                for members, text in ((purged, "a"), (others, "b"))
            ]

        assert await store.read(remaining) == [(False, 0, None), (True, 1, "b")]
        assert [row[1] for row in await store.read(lambda tx: tx.workflows.children("b"))] == [others[1]]

    async def test_events_keep_counting_up_when_all_are_purged(self, store: Store) -> None:
        """The purge leaves the newest row."""
        purged = await family(store, 1)
        await store.tx(lambda tx: tx.retention.purge([purged[0]]))
        first, last = await store.read(lambda tx: tx.events.bounds())
        assert first == last == 2
        await family(store, 2, 0)
        assert (await store.read(lambda tx: tx.events.bounds()))[1] == 3

    async def test_a_purge_takes_announcements_of_its_executions(self, store: Store) -> None:
        """The purge leaves the newest row without its document."""
        purged = await family(store, 1, 0)

        async def announce(tx: Tx, execution: str) -> int:
            change = events.Announcement("general", "x").change(execution, execution, NOON)
            return await tx.events.add(change, b'"x"')

        await store.tx(lambda tx: announce(tx, purged[0]))
        other = await store.tx(lambda tx: announce(tx, sample_id(2)))
        last = await store.tx(lambda tx: announce(tx, purged[0]))
        await store.tx(lambda tx: tx.retention.purge([purged[0]]))
        remaining = [event.id for event in await store.read(lambda tx: tx.events.after(0, 10))]
        assert remaining == [other, last]
        assert await store.read(lambda tx: tx.events.document(other)) == b'"x"'
        assert await store.read(lambda tx: tx.events.document(last)) == b""

    async def test_snapshots_go_unless_somebody_has_them_or_has_come_since(self, store: Store) -> None:
        """A snapshot of an execution that was requested after `used_snapshots` stays."""
        await store.tx(lambda tx: tx.executions.insert(sample_execution(1, snapshot="a" * 32)))
        used = await store.read(lambda tx: tx.retention.used_snapshots())
        assert used == ["a" * 32]
        await store.tx(lambda tx: tx.executions.insert(sample_execution(2, snapshot="b" * 32, start=LATER)))
        assert await store.tx(lambda tx: tx.retention.drop_snapshots(used, LATER - 1)) == 0
        assert await store.read(lambda tx: tx.retention.size()) > 0
