"""Each trigger of a timer has a timer."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.services.event.timers.conftest import Bench

from squall.core.errors import InvalidError, NotFoundError
from squall.services.lanes import SCHEDULE
from squall.testing.samples import NOON

pytestmark = pytest.mark.anyio


async def test_a_timer_comes_and_goes_with_its_trigger_and_the_stream_tells_of_it(bench: Bench) -> None:
    trigger = await bench.timer()
    assert (await bench.squall.timers.get(trigger.id)).next == NOON + 60_000_000
    await bench.squall.triggers.delete(trigger.id)
    with pytest.raises(NotFoundError):
        await bench.squall.timers.get(trigger.id)
    assert not await bench.squall.store.read(lambda tx: tx.queue.holds(SCHEDULE, trigger.id))
    names = [each.name for each in await bench.squall.store.read(lambda tx: tx.events.of("timer", trigger.id))]
    assert names == ["st2.timer__create", "st2.timer__delete"]


async def test_a_trigger_that_is_replaced_gets_a_new_schedule(bench: Bench) -> None:
    trigger = await bench.timer()
    body = {"type": trigger.type, "parameters": {"unit": "seconds", "delta": 10}}
    bench.squall.clock.advance(5)
    await bench.squall.triggers.put(body, trigger.id)
    await bench.after(10)
    assert await bench.fires() == [15]


@pytest.mark.parametrize(
    ("kind", "parameters", "field"),
    [
        ("IntervalTimer", {"unit": "seconds", "delta": 0}, "delta"),
        ("CronTimer", {"minute": "abc"}, "minute"),
        ("CronTimer", {"hour": 3, "timezone": "Mars/Base"}, "timezone"),
        ("DateTimer", {"date": "never"}, "date"),
        ("DateTimer", {"date": "2030-01-01", "jitter": "long"}, "jitter"),
        ("CronTimer", {"hour": 3, "overlap": "often"}, "overlap"),
    ],
)
async def test_parameters_that_no_timer_can_have_are_refused_by_their_name(
    bench: Bench, kind: str, parameters: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidError, match=f"^{field}: "):
        await bench.timer(kind, **{"unit": "seconds", **parameters} if kind == "IntervalTimer" else parameters)
    assert (await bench.squall.timers.find(None, None, 0))[1] == 0
