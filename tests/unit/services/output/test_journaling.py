"""Status records: carried into journals in order, once, and only where there is a journal."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.doubles.assembly import LEASE, Assembly, output_of, scripted

from squall.core.event.events import EXECUTION
from squall.core.output import journal as codec
from squall.ports import Tx
from squall.services.lanes import CHANGED, JOURNAL, ProgressRecords, StatusRecord, records_of
from squall.services.output.outputs import status_of
from squall.testing.reading import read_all

pytestmark = pytest.mark.anyio


async def open_journal(squall: Assembly, tree: str) -> None:
    await squall.launcher.append(tree, [codec.ServerRecord(tree, codec.PROGRESS, 1, 0, b"{}")])


async def carried(squall: Assembly, tree: str) -> list[tuple[str, str, int]]:
    """(execution, status, event row) of the status records in a tree's journal."""
    return [
        (record.execution, status_of(record), record.event)
        for record in await read_all(squall.journal, tree)
        if record.kind == codec.STATUS
    ]


async def waiting(squall: Assembly) -> int:
    return (await squall.store.read(lambda tx: tx.queue.depths())).get(JOURNAL, 0)


async def test_the_end_is_carried_into_the_journal_with_its_event_row_and_time(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await open_journal(squall, execution.tree)
    squall.clock.advance(5)
    await squall.finish(task, execution)
    assert await squall.journaling.carry() == 1
    found = await squall.store.read(lambda tx: tx.events.of(EXECUTION, execution.id))
    assert await carried(squall, execution.tree) == [(execution.id, "succeeded", found[-1].id)]
    assert (await read_all(squall.journal, execution.tree))[-1].time == squall.clock.now()
    assert await waiting(squall) == 0
    assert await squall.journaling.carry() == 0


async def test_status_changes_are_carried_in_their_order(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await open_journal(squall, execution.tree)
    await squall.control.cancel(execution.id, "ada")
    await squall.finish(task, execution)
    assert await squall.journaling.carry() == 2
    assert [status for _, status, _ in await carried(squall, execution.tree)] == ["canceling", "canceled"]


async def test_status_changes_are_carried_in_their_order_although_the_clock_is_set_back(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"text")
    await squall.control.cancel(execution.id, "ada")
    squall.clock.advance(-3_600)
    assert await squall.journaling.carry() == 1
    await squall.finish(task, execution, "canceled")
    await squall.journaling.carry()
    kinds = [record for record in await read_all(squall.journal, execution.tree) if record.kind == codec.STATUS]
    assert [json.loads(bytes(record.payload))["status"] for record in kinds] == ["running", "canceling", "canceled"]


async def test_an_execution_that_printed_nothing_gets_no_journal(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution)
    assert await squall.journaling.carry() == 1
    assert await read_all(squall.journal, execution.tree) == []
    assert await waiting(squall) == 0


async def test_a_record_carried_twice_after_a_crash_is_there_once(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await open_journal(squall, execution.tree)
    await squall.finish(task, execution)
    (row,) = await squall.store.tx(lambda tx: tx.queue.claim(JOURNAL, "dead", squall.clock.now(), 1, 10))
    record = records_of(row)
    assert isinstance(record, StatusRecord)
    payload = msgspec.json.encode({"status": record.status})
    await squall.launcher.append(
        record.tree, [codec.ServerRecord(row.key, codec.STATUS, record.at, record.event, payload, create=False)]
    )
    squall.clock.advance(1)
    assert await squall.journaling.carry() == 1
    assert len(await carried(squall, execution.tree)) == 1


async def test_every_note_of_a_workflow_is_carried_once_and_hides_no_change_of_a_status(squall: Assembly) -> None:
    """Rows of the queue and of the table of events are counted apart: the same number is no copy."""
    _, execution, _ = await squall.start()
    await open_journal(squall, execution.tree)
    notes = [{"event": "task_requested", "task": name} for name in "abc"]

    async def put(tx: Tx) -> None:
        await tx.queue.put(JOURNAL, execution.id, ProgressRecords(execution.tree, 5, notes), squall.clock.now())

    await squall.store.tx(put)
    rows = await squall.store.tx(lambda tx: tx.queue.claim(JOURNAL, "dead", squall.clock.now(), 1, 10))
    number = next(row.id for row in rows if isinstance(records_of(row), ProgressRecords))
    await squall.launcher.append(
        execution.tree,
        [
            codec.ServerRecord(
                execution.id, codec.PROGRESS, 5, codec.note_event(number, 0), msgspec.json.encode(notes[0])
            )
        ],
    )
    await squall.launcher.append(execution.tree, [codec.ServerRecord(execution.id, codec.STATUS, 6, number, b"{}")])
    squall.clock.advance(1)
    await squall.journaling.carry()
    records = await read_all(squall.journal, execution.tree)
    told = [json.loads(bytes(record.payload)) for record in records if record.kind == codec.PROGRESS]
    assert [note["task"] for note in told if "task" in note] == ["a", "b", "c"]
    assert number in [record.event for record in records if record.kind == codec.STATUS]
    assert [codec.event_row(record.event) for record in records if record.kind == codec.PROGRESS][-3:] == [0, 0, 0]


async def test_a_tree_is_closed_when_all_of_it_has_ended_and_not_before(squall: Assembly) -> None:
    root = await squall.request()
    await squall.child_of(root)
    claimed = {execution.id: (task, execution) for task, execution, _ in await squall.claim()}
    await open_journal(squall, root.tree)
    await squall.finish(*claimed.pop(root.id))
    await squall.journaling.carry()
    assert scripted(squall).closed == []
    (last,) = claimed.values()
    await squall.finish(*last)
    await squall.journaling.carry()
    assert scripted(squall).closed == [root.tree]


async def test_readers_of_the_tree_are_woken(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await squall.finish(task, execution)
    with squall.bus.subscribe(CHANGED) as changes, squall.journal.watch(execution.tree) as watch:
        seen = watch.changes
        await squall.journaling.carry()
        assert watch.changes != seen
        assert await changes.wait(0) == {execution.tree}


async def test_what_a_full_disk_did_not_take_is_carried_as_soon_as_it_does(squall: Assembly) -> None:
    claimed = []
    for _ in range(3):
        task, execution, _ = await squall.start()
        await open_journal(squall, execution.tree)
        await squall.finish(task, execution)
        claimed.append(execution)
    scripted(squall).append_error = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        await squall.journaling.carry()
    assert await waiting(squall) == 3
    scripted(squall).append_error = None
    squall.clock.advance(1)
    assert await squall.journaling.carry() == 3
    assert all([len(await carried(squall, execution.tree)) == 1 for execution in claimed])


async def test_what_a_dead_server_had_claimed_is_carried_when_its_lease_has_run_out(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    await open_journal(squall, execution.tree)
    await squall.finish(task, execution)
    await squall.store.tx(lambda tx: tx.queue.claim(JOURNAL, "dead", squall.clock.now(), LEASE, 10))
    assert await squall.journaling.carry() == 0
    squall.clock.advance(LEASE / 1e6)
    assert await squall.journaling.carry() == 1


async def test_a_row_that_nobody_can_read_waits_and_holds_up_no_other(squall: Assembly) -> None:
    """A later version may have written it."""
    task, execution, _ = await squall.start()
    await open_journal(squall, execution.tree)
    now = squall.clock.now()
    await squall.store.tx(lambda tx: tx.queue.put(JOURNAL, execution.id, {"type": "of the future"}, now))
    await squall.finish(task, execution)
    assert await squall.journaling.carry() == 2
    assert [status for _, status, _ in await carried(squall, execution.tree)] == ["succeeded"]
    assert await waiting(squall) == 1
    assert await squall.journaling.carry() == 0
