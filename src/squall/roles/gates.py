"""The loop that fires rules whose time has come: wakes on a hint, or when a row is due."""

from __future__ import annotations

import asyncio
import logging

from squall.core.environment import RETRIED
from squall.ports import Bus, Clock, Store
from squall.services.due import seconds_until_due
from squall.services.event.gates.firing import MOST, RuleFiring
from squall.services.lanes import GATES

_LOG = logging.getLogger("squall.rules")
_BACK_OFF = 0.5


class GatesRole:
    """Works off lane `gates`; `poll` is in seconds."""

    def __init__(self, firing: RuleFiring, store: Store, bus: Bus, clock: Clock, *, poll: float) -> None:
        self._firing = firing
        self._store = store
        self._bus = bus
        self._clock = clock
        self._poll = poll

    async def run(self) -> None:
        """Works until cancelled."""
        with self._bus.subscribe(GATES) as hints:
            while True:
                try:
                    if await self._firing.advance() < MOST:
                        await hints.wait(await seconds_until_due(self._store, self._clock, GATES, self._poll))
                except RETRIED as error:
                    _LOG.warning("could not fire rules; trying again", extra={"error": str(error)})
                    await asyncio.sleep(_BACK_OFF)
