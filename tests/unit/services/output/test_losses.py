"""Gaps for output that a journal does not hold any more."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly, output_of, scripted

from squall.core.output import journal
from squall.core.output.accounts import Account
from squall.core.output.journal import Batch
from squall.services.output.losses import Losses, ended_at
from squall.testing.reading import read_all

pytestmark = pytest.mark.anyio


async def test_a_gap_has_the_time_of_the_record_beside_it_or_of_the_end(squall: Assembly) -> None:
    task, execution, _ = await squall.start()
    scripted(squall).show(output_of(execution), b"12345")
    squall.clock.advance(5)
    await squall.end(task, execution)
    records = await read_all(squall.journal, execution.tree)
    account = Account(execution.id, 9, 0, records[0].start)
    await squall.store.tx(lambda tx: tx.journals.account(account))
    ended = await squall.executions.get(execution.id)
    losses = Losses(squall.store, squall.journal)
    told = await losses.told(Batch(records, records[-1].end), ended, False, records[-1].start)
    assert [record.kind for record in told.records][-2:] == [journal.GAP, journal.STATUS]
    assert told.records[-2].time == records[-1].time
    alone = await losses.told(Batch([], records[-1].end), ended, False, records[-1].end)
    assert [record.time for record in alone.records] == [ended_at(ended)] == [ended.end]
