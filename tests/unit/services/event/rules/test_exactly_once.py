"""The server dies at any transactions of the path of events: each match has one execution, in order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some
from tests.doubles.assembly import assembled
from tests.doubles.reacting import Reacting

from squall.core.event.rules.records import PROCESSED
from squall.ports import Tx

Deaths = Sequence[tuple[int, bool]]


class DeathError(BaseException):
    """The server dies. No code of Squall handles this."""


class Mortal:
    """Writes as `tx` does, and dies around the calls of `deaths`: (calls before it, whether it is committed)."""

    def __init__(self, tx: Callable[..., Awaitable[Any]], deaths: Deaths) -> None:
        self._tx = tx
        self._deaths = list(deaths)
        self._calls = 0

    async def tx(self, work: Callable[[Tx], Awaitable[Any]], *, durable: bool = True) -> Any:
        self._calls += 1
        dies = bool(self._deaths) and self._calls > self._deaths[0][0]
        commits = True
        if dies:
            self._calls, commits = 0, self._deaths.pop(0)[1]
        if commits:
            result = await self._tx(work, durable=durable)
        if dies:
            raise DeathError
        return result


async def survived(reacting: Reacting, work: Callable[[], Awaitable[Any]]) -> None:
    """Does some work again and again until the server lives long enough. Each new server frees what the dead one held,
    and knows nothing of it."""
    while True:
        try:
            await work()
            return
        except BaseException as error:
            group = error if isinstance(error, BaseExceptionGroup) else BaseExceptionGroup("", [error])
            if group.split(DeathError)[1] is not None:
                raise
            reacting.book.clear()
            reacting.evaluation = reacting.new_evaluation()
            await real(reacting)(lambda tx: tx.queue.free("w1", 0))


def real(reacting: Reacting) -> Callable[..., Awaitable[Any]]:
    """The store's own `tx`."""
    own: Callable[..., Awaitable[Any]] = type(reacting.squall.store).tx.__get__(reacting.squall.store)
    return own


async def outcome(deaths: Deaths, events: Sequence[bool], folder: Path) -> None:
    async with assembled(folder) as squall:
        reacting = Reacting(squall)
        await reacting.add_type()
        await reacting.add_rule("all")
        await reacting.add_rule("odd", criteria={"trigger.odd": {"type": "eq", "pattern": True}})
        await reacting.add_rule("bad", action="core.local", criteria={"trigger.odd": {"type": "eq", "pattern": True}})
        await reacting.add_rule("else", type={"ref": "backstop", "parameters": {}})
        squall.store.tx = Mortal(squall.store.tx, deaths).tx  # type: ignore[method-assign]
        for number, odd in enumerate(events):
            await survived(reacting, lambda n=number, odd=odd: reacting.dispatch({"odd": odd}, source=f"s/{n}"))  # type: ignore[misc]
        while await reacting.waiting():
            await survived(reacting, reacting.evaluate)
        instances = await reacting.stored()
        assert [each.payload["odd"] for each in instances] == list(events)
        assert {each.status for each in instances} == {PROCESSED}
        enforcements = await reacting.enforcements()
        for instance in instances:
            rules = [
                each.rule.ref.partition(".")[2] for each in enforcements if each.trigger_instance_id == instance.id
            ]
            assert sorted(rules) == (["all", "bad", "odd"] if instance.payload["odd"] else ["all"])
        fired = [each.execution_id for each in enforcements if each.execution_id is not None]
        assert sorted(fired) == [execution.id for execution in await reacting.executions()]
        # That of the rule "bad" fails at once, because its parameters cannot be rendered.
        assert len(fired) == len(events) + 2 * sum(events)
        order = [each.trigger_instance_id for each in enforcements]
        assert sorted(order) == order


@settings(max_examples=25)
@given(
    some.lists(some.tuples(some.integers(0, 6), some.booleans()), max_size=6),
    some.lists(some.booleans(), min_size=1, max_size=4),
)
def test_each_match_has_one_execution_wherever_the_server_dies(
    deaths: list[tuple[int, bool]], events: list[bool]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(outcome(deaths, events, Path(folder)))
