"""The loop that lets timers fire: sleeps until the next one is due, or until a hint."""

from __future__ import annotations

import asyncio
import logging

from squall.core.environment import RETRIED
from squall.ports import Bus, Clock
from squall.services.event.timers.firing import MOST, Firing
from squall.services.lanes import SCHEDULE

_LOG = logging.getLogger("squall.timers")
_BACK_OFF = 0.5


class TimersRole:
    """Handles the rows of lane `schedule` when they are due. `poll` is in seconds: so late it sees that the clock was
    set, or that a hint was lost."""

    def __init__(self, firing: Firing, bus: Bus, clock: Clock, *, poll: float) -> None:
        self._firing = firing
        self._bus = bus
        self._clock = clock
        self._poll = poll

    async def run(self) -> None:
        """Works until cancelled."""
        uses_zone = False
        with self._bus.subscribe(SCHEDULE) as hints:
            while True:
                try:
                    if not uses_zone:
                        await self._firing.use_zone()
                        uses_zone = True
                    pause = await self._until_due()
                    if pause > 0:
                        await hints.wait(pause)
                    elif await self._firing.fire() == MOST:
                        await asyncio.sleep(0)
                except RETRIED as error:
                    _LOG.warning("timers cannot fire; trying again", extra={"error": str(error)})
                    await asyncio.sleep(_BACK_OFF)

    async def _until_due(self) -> float:
        """Returns the seconds until the next row is due, at most the poll; 0 or less if one is due."""
        due = await self._firing.due()
        return self._poll if due is None else min((due - self._clock.now()) / 1_000_000, self._poll)
