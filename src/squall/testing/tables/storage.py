# ruff: noqa: S101 - asserting is what a contract suite is for
"""What every store must know of sealed journals, and how it removes executions."""

from __future__ import annotations

import pytest

from squall.core.event import events
from squall.core.execution.execution import RUNNING, SUCCEEDED, change_of
from squall.ports import BLOB, FILE, ROW, Seal, Store, Tx
from squall.ports.tables.workflows import WorkflowRecord
from squall.testing.samples import NOON, sample_execution, sample_id

LATER = NOON + 10**12


def seal(place: str = FILE, stored: int = 10) -> Seal:
    """A sealed journal of 1000 bytes."""
    return Seal(place, 1000, stored, "d" * 64)


async def family(store: Store, number: int, children: int = 1, *, running: bool = False) -> list[str]:
    """A finished root with children, of which the last one may still run, with events and results; their ids."""
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
    """Journals and their removal."""

    async def test_a_seal_is_kept_with_its_execution_and_replaced_by_the_next(self, store: Store) -> None:
        """One without an execution leaves nothing."""
        await family(store, 1)
        seals = {sample_id(1): seal(), sample_id(50): seal()}
        await store.tx(lambda tx: tx.journals.keep(seals, NOON))
        assert await store.read(lambda tx: tx.journals.get(sample_id(1))) == seal()
        assert await store.read(lambda tx: tx.journals.get(sample_id(50))) is None
        await store.tx(lambda tx: tx.journals.keep({sample_id(1): seal(BLOB, 7)}, LATER))
        assert await store.read(lambda tx: tx.journals.get(sample_id(1))) == seal(BLOB, 7)

    async def test_a_tree_is_complete_when_all_has_ended_and_nothing_waits_to_be_copied(self, store: Store) -> None:
        """Neither a running child nor a row in lane `journal` may be left."""
        for number in (1, 2, 3):
            await family(store, number, running=number == 2)
        await store.tx(lambda tx: tx.queue.put("journal", sample_id(301), None, NOON))
        trees = [sample_id(number) for number in (1, 2, 3, 4)]
        assert await store.read(lambda tx: tx.journals.complete(trees)) == [sample_id(1)]

    async def test_files_that_were_sealed_before_a_time_may_move(self, store: Store) -> None:
        """Oldest first."""
        for number in (1, 2, 3):
            await family(store, number)
        for number, place in ((2, FILE), (1, FILE), (3, ROW)):
            seals = {sample_id(number): seal(place)}
            await store.tx(lambda tx, seals=seals, at=NOON - number: tx.journals.keep(seals, at))  # type: ignore[misc]
        assert await store.read(lambda tx: tx.journals.movable(NOON, 10)) == [sample_id(2), sample_id(1)]
        assert await store.read(lambda tx: tx.journals.movable(NOON - 1, 10)) == [sample_id(2)]
        assert await store.read(lambda tx: tx.journals.movable(NOON, 1)) == [sample_id(2)]

    async def test_sums_are_told_by_place_and_by_action(self, store: Store) -> None:
        """Executions without output count as executions."""
        for number in (1, 2):
            await family(store, number)
        await store.tx(lambda tx: tx.journals.keep({sample_id(1): seal(ROW, 3), sample_id(2): seal(FILE, 4)}, NOON))
        assert await store.read(lambda tx: tx.journals.totals()) == {ROW: (1, 1000, 3), FILE: (1, 1000, 4)}
        assert await store.read(lambda tx: tx.journals.by_action(5)) == [("core.local", 4, 2000, 7)]

    async def test_finished_trees_are_listed_in_order_behind_a_cursor(self, store: Store) -> None:
        """Those in which something runs are not."""
        for number in (1, 2, 3, 4):
            await family(store, number, running=number == 2)
        await store.tx(lambda tx: tx.journals.keep({sample_id(3): seal()}, NOON))
        first = await store.read(lambda tx: tx.retention.finished((0, ""), LATER, 2))
        assert [(found.id, found.stored) for found in first] == [(sample_id(1), 0), (sample_id(3), 10)]
        assert (first[0].action, first[0].status, first[0].end) == ("core.local", SUCCEEDED, first[0].start + 5)
        behind = (first[-1].start, first[-1].id)
        assert [found.id for found in await store.read(lambda tx: tx.retention.finished(behind, LATER, 9))] == [
            sample_id(4)
        ]
        assert await store.read(lambda tx: tx.retention.finished((0, ""), first[0].start, 9)) == []

    async def test_a_purge_takes_whole_trees_and_nothing_else(self, store: Store) -> None:
        """From every table."""
        gone, stays = await family(store, 1, 3), await family(store, 2, 2)
        await store.tx(lambda tx: tx.journals.keep({gone[0]: seal(), stays[0]: seal()}, NOON))
        await store.tx(lambda tx: tx.queue.put("run", gone[1], None, NOON))
        assert await store.read(lambda tx: tx.retention.count([gone[0]])) == 4
        assert await store.tx(lambda tx: tx.retention.purge([gone[0], sample_id(77)])) == 4

        async def left(tx: Tx) -> list[tuple[bool, int]]:
            return [
                (await tx.executions.get(each) is not None, len(await tx.events.of(events.EXECUTION, each)))
                for each in (*gone, *stays)
            ]

        assert await store.read(left) == [(False, 0)] * 4 + [(True, 1)] * 3
        assert await store.read(lambda tx: tx.queue.depths()) == {}
        assert await store.read(lambda tx: tx.journals.get(gone[0])) is None
        assert await store.read(lambda tx: tx.journals.get(stays[0])) == seal()
        kept = await store.read(lambda tx: tx.executions.get(stays[1]))
        assert kept is not None
        assert kept.result == [1]

    async def test_a_purge_takes_the_state_of_workflows_with_it(self, store: Store) -> None:
        """Facts, children and, when no other workflow has it, the text."""
        gone, stays = await family(store, 1), await family(store, 2)

        async def begin(tx: Tx) -> None:
            for members, text in ((gone, "a"), (stays, "b")):
                await tx.workflows.keep_definition(text, text)
                await tx.workflows.insert(WorkflowRecord(members[0], "p.w", text, 0, None, 0, 0))
                await tx.workflows.append(members[0], 1, b"facts")
                await tx.workflows.add_child(text, 0, members[1])

        await store.tx(begin)
        await store.tx(lambda tx: tx.retention.purge([gone[0]]))
        await store.tx(lambda tx: tx.retention.drop_snapshots([], LATER))

        async def left(tx: Tx) -> list[tuple[bool, int, str | None]]:
            return [
                (
                    await tx.workflows.get(members[0]) is not None,
                    len(await tx.workflows.facts(members[0], 0)),
                    await tx.workflows.definition(text),
                )
                for members, text in ((gone, "a"), (stays, "b"))
            ]

        assert await store.read(left) == [(False, 0, None), (True, 1, "b")]
        assert [row[1] for row in await store.read(lambda tx: tx.workflows.children("b"))] == [stays[1]]

    async def test_events_keep_counting_up_when_all_are_purged(self, store: Store) -> None:
        """The newest row stays."""
        gone = await family(store, 1)
        await store.tx(lambda tx: tx.retention.purge([gone[0]]))
        first, last = await store.read(lambda tx: tx.events.bounds())
        assert first == last == 2
        await family(store, 2, 0)
        assert (await store.read(lambda tx: tx.events.bounds()))[1] == 3

    async def test_a_purge_takes_announcements_of_its_executions(self, store: Store) -> None:
        """The newest row stays, and its document goes."""
        gone = await family(store, 1, 0)

        async def announce(tx: Tx, execution: str) -> int:
            change = events.Announcement("general", "x").change(execution, execution, NOON)
            return await tx.events.add(change, b'"x"')

        await store.tx(lambda tx: announce(tx, gone[0]))
        kept = await store.tx(lambda tx: announce(tx, sample_id(2)))
        last = await store.tx(lambda tx: announce(tx, gone[0]))
        await store.tx(lambda tx: tx.retention.purge([gone[0]]))
        left = [event.id for event in await store.read(lambda tx: tx.events.after(0, 10))]
        assert left == [kept, last]
        assert await store.read(lambda tx: tx.events.document(kept)) == b'"x"'
        assert await store.read(lambda tx: tx.events.document(last)) == b""

    async def test_snapshots_go_unless_somebody_has_them_or_has_come_since(self, store: Store) -> None:
        """What was asked for while one looked is not missed."""
        await store.tx(lambda tx: tx.executions.insert(sample_execution(1, snapshot="a" * 32)))
        used = await store.read(lambda tx: tx.retention.used_snapshots())
        assert used == ["a" * 32]
        await store.tx(lambda tx: tx.executions.insert(sample_execution(2, snapshot="b" * 32, start=LATER)))
        assert await store.tx(lambda tx: tx.retention.drop_snapshots(used, LATER - 1)) == 0
        assert await store.read(lambda tx: tx.retention.size()) > 0
