"""The journaler: copies status changes into journals. Its poll keeps readers' waits short if hints are lost."""

from __future__ import annotations

import asyncio
import logging

from squall.core.environment import RETRIED
from squall.ports import Bus
from squall.services.lanes import JOURNAL
from squall.services.output.journaling import MOST, Journaling

_LOG = logging.getLogger("squall.journaler")
_BACK_OFF = 0.5


class Journaler:
    """Copies the records in the lane `journal`; `poll` is in seconds."""

    def __init__(self, journaling: Journaling, bus: Bus, *, poll: float) -> None:
        self._journaling = journaling
        self._bus = bus
        self._poll = poll

    async def run(self) -> None:
        """Works until cancelled."""
        with self._bus.subscribe(JOURNAL) as hints:
            while True:
                try:
                    if await self._journaling.carry() < MOST:
                        await hints.wait(self._poll)
                except RETRIED as error:
                    _LOG.warning("could not journal status records; trying again", extra={"error": str(error)})
                    await asyncio.sleep(_BACK_OFF)
