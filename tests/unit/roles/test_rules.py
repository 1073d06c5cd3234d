"""The loop that evaluates events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.doubles.assembly import Assembly, assembled
from tests.doubles.reacting import Reacting

from squall.adapters.bus.inproc import DeafBus
from squall.core.errors import UnavailableError
from squall.ports import Bus
from squall.roles.carrier import Carrier
from squall.services.due import SOON, seconds_until_due
from squall.services.event.rules.evaluation import MOST, Evaluation
from squall.services.lanes import RULES
from squall.testing.waiting import eventually

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def working(squall: Assembly, poll: float = 60) -> AsyncIterator[Reacting]:
    """The services of rules, with a trigger, a rule, and the loop at work."""
    reacting = Reacting(squall)
    await reacting.add_type()
    await reacting.add_rule("all")
    until_due = partial(seconds_until_due, squall.store, squall.clock, RULES, poll)
    carry = reacting.evaluation.advance
    role = Carrier(RULES, carry, MOST, squall.bus, poll=poll, until_due=until_due, soon=SOON)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(role.run())
        yield reacting
        task.cancel()


async def enforced(reacting: Reacting, count: int) -> None:
    async def all_of_them() -> bool:
        return len(await reacting.enforcements()) == count

    await eventually(all_of_them, f"{count} events are evaluated")


async def test_an_event_is_evaluated_at_its_hint(squall: Assembly) -> None:
    async with working(squall) as reacting:
        for number in range(3):
            await reacting.dispatch()
            await enforced(reacting, number + 1)


@pytest.mark.parametrize("bus", [DeafBus()])
async def test_without_hints_the_next_poll_finds_the_event(tmp_path: Path, bus: Bus) -> None:
    async with assembled(tmp_path, bus=bus) as squall, working(squall, poll=0.01) as reacting:
        await reacting.dispatch()
        await enforced(reacting, 1)


async def test_an_event_that_is_due_later_needs_no_hint(squall: Assembly) -> None:
    async with working(squall) as reacting:
        instance = await reacting.dispatch()
        await enforced(reacting, 1)
        later = squall.clock.now() + 20_000
        await squall.store.tx(
            lambda tx: tx.queue.put("rules", instance.id, {"type": "evaluation", "trigger": "p.t"}, later)
        )
        squall.bus.publish("rules", "")
        squall.clock.advance(1)

        async def is_done() -> bool:
            return await reacting.waiting() == 0

        await eventually(is_done, "the row is taken")


async def test_a_database_that_fails_for_a_while_ends_no_loop(
    squall: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("squall.roles.carrier._BACK_OFF", 0)
    advance, broken = Evaluation.advance, [3]

    async def failing(evaluation: Evaluation, group: asyncio.TaskGroup) -> int:
        if broken[0]:
            broken[0] -= 1
            raise UnavailableError("away")
        return await advance(evaluation, group)

    monkeypatch.setattr(Evaluation, "advance", failing)
    async with working(squall) as reacting:
        await reacting.dispatch()
        await enforced(reacting, 1)
        assert broken == [0]
