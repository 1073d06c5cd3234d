"""The check of stored output that never ends."""

from __future__ import annotations

import pytest
from tests.doubles.assembly import Assembly

from squall.core.output import journal as codec
from squall.core.output.accounts import Account, Loss
from squall.services.output.scrubbing import Scrubbing

pytestmark = pytest.mark.anyio


def scrubbing(squall: Assembly, megabytes: float = 1e9) -> Scrubbing:
    return Scrubbing(squall.store, squall.storage, squall.clock, megabytes, seconds=30)


async def test_every_tree_that_has_ended_is_checked_once_in_a_round(squall: Assembly) -> None:
    for _ in range(3):
        await squall.done()
    squall.clock.advance(1)
    assert await scrubbing(squall).scrub() == 3
    # Another server goes on where this one stopped: the round is complete.
    assert await scrubbing(squall).scrub() == 0
    damages, count, mark = await squall.storage.damages(10)
    assert (list(damages), count, mark.tree, mark.round) == ([], 0, "", 1)


async def test_a_rate_of_zero_checks_nothing(squall: Assembly) -> None:
    await squall.done()
    squall.clock.advance(1)
    assert await scrubbing(squall, megabytes=0).scrub() == 0


async def test_damage_is_listed_until_a_check_finds_it_repaired(squall: Assembly) -> None:
    execution = await squall.done()
    squall.clock.advance(1)
    path = squall.kept.root / codec.file_name(execution.tree)
    whole = path.read_bytes()
    path.write_bytes(b"")
    assert await scrubbing(squall).scrub() == 1
    damages, count, _ = await squall.storage.damages(10)
    assert (count, [damage.tree for damage in damages]) == (1, [execution.id])
    assert "shorter than a journal's header" in damages[0].faults[0]
    path.write_bytes(whole)
    assert (await squall.storage.check(execution.tree)).faults == ()
    assert (await squall.storage.damages(10))[1] == 0


async def test_output_that_the_database_knows_is_missed_when_its_journal_is_gone(squall: Assembly) -> None:
    execution = await squall.done()
    await squall.store.tx(lambda tx: tx.journals.account(Account(execution.id, 412, 0, 4096)))
    path = squall.kept.root / codec.file_name(execution.tree)
    path.unlink()
    checked = await squall.storage.verify(execution.tree)
    assert checked.verdict is None
    assert checked.faults == ("the journal is missing", f"412 bytes of stdout of {execution.id} are missing")
    assert await squall.outputs.losses.of(execution, True) == (Loss(execution.id, 1, 412),)
