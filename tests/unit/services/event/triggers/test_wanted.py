"""Which internal events are stored."""

from __future__ import annotations

import pytest
from tests.doubles.reacting import Reacting, rule_body

from squall.ports import Tx
from squall.services.event.triggers.wanted import Wanted

pytestmark = pytest.mark.anyio


async def wants(reacting: Reacting, ref: str = "p.t") -> bool:
    return await reacting.squall.store.tx(lambda tx: reacting.wanted.wants(tx, ref))


async def test_events_are_wanted_while_an_enabled_rule_or_a_viewer_waits_for_them(reacting: Reacting) -> None:
    await reacting.add_type()
    assert not await wants(reacting)
    rule = await reacting.add_rule("a")
    assert await wants(reacting)
    await reacting.rules.update(rule.id, rule_body("a", enabled=False))
    assert not await wants(reacting)
    with reacting.wanted.viewed("p.t"), reacting.wanted.viewed("p.t"):
        assert await wants(reacting)
    assert not await wants(reacting)
    assert await reacting.squall.store.tx(lambda tx: Wanted(always=True).wants(tx, "p.t"))


async def test_no_event_behind_the_transaction_of_a_rule_is_missed(
    reacting: Reacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reacting.add_type()
    store = reacting.squall.store
    tx, seen = store.tx, []

    async def with_neighbours(work: object, **more: object) -> object:
        monkeypatch.undo()
        seen.append(await wants(reacting))
        result: object = await tx(work, **more)  # type: ignore[arg-type]
        seen.append(await wants(reacting))
        return result

    monkeypatch.setattr(store, "tx", with_neighbours)
    await reacting.add_rule("a")
    assert seen == [False, True]


async def test_a_rule_that_was_not_stored_is_forgotten_with_the_next_change(reacting: Reacting) -> None:
    await reacting.add_type()
    await wants(reacting)

    async def failing(tx: Tx) -> None:
        reacting.wanted.add("p.t")
        raise LookupError

    with pytest.raises(LookupError):
        await reacting.squall.store.tx(failing)
    reacting.rules.settled()
    assert not await wants(reacting)
