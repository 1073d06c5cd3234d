"""The loop that evaluates events: wakes on a hint, or when a row is due."""

from __future__ import annotations

import asyncio
import logging

from squall.core.environment import RETRIED
from squall.ports import Bus, Clock, Store
from squall.services.due import seconds_until_due
from squall.services.event.rules.evaluation import MOST, Evaluation
from squall.services.lanes import RULES

_LOG = logging.getLogger("squall.rules")
_BACK_OFF = 0.5
_SOON = 0.02


class RulesRole:
    """Evaluates the trigger instances in lane `rules`; `poll` is in seconds."""

    def __init__(self, evaluation: Evaluation, store: Store, bus: Bus, clock: Clock, *, poll: float) -> None:
        self._evaluation = evaluation
        self._store = store
        self._bus = bus
        self._clock = clock
        self._poll = poll

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._take(group)

    async def _take(self, group: asyncio.TaskGroup) -> None:
        with self._bus.subscribe(RULES) as hints:
            while True:
                try:
                    # Under load the next hint comes before the database has told when the next row is due.
                    if await self._evaluation.advance(group) < MOST and not await hints.wait(min(_SOON, self._poll)):
                        await hints.wait(await seconds_until_due(self._store, self._clock, RULES, self._poll))
                except RETRIED as error:
                    _LOG.warning("could not evaluate events; trying again", extra={"error": str(error)})
                    await asyncio.sleep(_BACK_OFF)
