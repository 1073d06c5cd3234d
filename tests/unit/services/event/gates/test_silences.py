"""Silences are kept until their end, and their changes are events."""

from __future__ import annotations

import pytest
from tests.doubles.gated import Gated

from squall.core.errors import InvalidError, NotFoundError
from squall.services.event.gates import silences as silences_module

pytestmark = pytest.mark.anyio


async def names(gated: Gated) -> list[str]:
    """The names of the events about silences, in order."""
    events = await gated.squall.store.read(lambda tx: tx.events.after(0, 10_000))
    return [event.name for event in events if event.kind == "silence"]


async def test_a_silence_is_kept_until_it_is_removed(gated: Gated) -> None:
    rule = await gated.saying("a")
    made = await gated.silences.create({"rule": rule.id, "reason": "works", "until": "1h"}, "ada")
    assert (made.target, made.author) == ("p.a", "ada")
    assert await gated.silences.find() == [made]
    await gated.silences.delete(made.id)
    assert await names(gated) == ["st2.silence__create", "st2.silence__delete"]
    for call in (gated.silences.get, gated.silences.delete):
        with pytest.raises(NotFoundError, match="squall silence list"):
            await call(made.id)


async def test_a_silence_that_is_over_is_listed_no_more_and_removed(gated: Gated) -> None:
    await gated.saying("a", throttle={"within": 1})
    await gated.came(1)
    await gated.silences.create({"rule": "p.a", "reason": "works", "until": "1m"}, "ada")
    gated.squall.clock.advance(60)
    assert await gated.silences.find() == []
    # The silence, and the state of the throttle.
    assert await gated.silences.expire() == 2
    assert await gated.silences.expire() == 0
    assert await names(gated) == ["st2.silence__create", "st2.silence__delete"]


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ({"rule": "p.gone"}, 'rule: there is no rule "p.gone"'),
        ({"pack": "gone"}, 'pack: no rule belongs to a pack "gone"'),
        ({"trigger": "p.gone"}, 'trigger: there is no trigger "p.gone"'),
    ],
)
async def test_a_silence_of_nothing_is_refused(gated: Gated, target: dict[str, str], fault: str) -> None:
    with pytest.raises(InvalidError, match=fault):
        await gated.silences.create({**target, "reason": "works", "until": "1h"}, "ada")


async def test_the_number_of_silences_is_bounded(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences_module, "MOST_SILENCES", 1)
    body = {"trigger": "p.t", "reason": "works", "until": "1h"}
    await gated.silences.create(body, "ada")
    with pytest.raises(InvalidError, match="silences already"):
        await gated.silences.create(body, "ada")
