"""The timers' loop sleeps until the next row is due, and goes on whatever happens."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from squall.adapters.bus.inproc import InProcessBus
from squall.core.errors import UnavailableError
from squall.roles.timers import TimersRole
from squall.services.event.timers.firing import Firing
from squall.services.lanes import SCHEDULE
from squall.testing.samples import NOON, HeldClock
from squall.testing.waiting import PATIENCE, called, eventually

pytestmark = pytest.mark.anyio


class Scripted:
    """A `Firing` with one row, due at `row`; `faults` is how many of its next calls fail."""

    def __init__(self, row: int | None) -> None:
        self.row = row
        self.fired = 0
        self.zones = 0
        self.faults = 0

    async def use_zone(self) -> None:
        self.zones += 1

    async def due(self) -> int | None:
        return self.row

    async def fire(self) -> int:
        if self.faults:
            self.faults -= 1
            raise UnavailableError("the disk is full")
        self.row = None
        self.fired += 1
        return 1


async def test_it_fires_when_a_row_is_due_and_after_a_hint_about_an_earlier_one() -> None:
    firing, bus, clock = Scripted(NOON), InProcessBus(), HeldClock()
    role = TimersRole(cast(Firing, firing), bus, clock, poll=PATIENCE)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        task = group.create_task(role.run())
        await eventually(lambda: firing.fired == 1, "the row is handled")
        firing.row = NOON
        bus.publish(SCHEDULE, "")
        await eventually(lambda: firing.fired == 2, "the new row is handled")
        task.cancel()
    assert firing.zones == 1


async def test_it_sees_without_a_hint_that_the_clock_was_set() -> None:
    firing, clock = Scripted(NOON + 3_600_000_000), HeldClock()
    role = TimersRole(cast(Firing, firing), InProcessBus(), clock, poll=0.001)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        task = group.create_task(role.run())
        await called(firing, "due")
        assert firing.fired == 0
        clock.advance(3_600)
        await eventually(lambda: firing.fired == 1, "the row is handled")
        task.cancel()


async def test_an_error_of_the_environment_does_not_end_it() -> None:
    firing = Scripted(NOON)
    firing.faults = 1
    role = TimersRole(cast(Firing, firing), InProcessBus(), HeldClock(), poll=0.001)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        task = group.create_task(role.run())
        await eventually(lambda: firing.fired == 1, "the row is handled")
        task.cancel()
