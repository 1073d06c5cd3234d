"""The conductor's loop: wakes on a hint, or when a row is due, and advances workflows."""

from __future__ import annotations

import asyncio
import logging

from squall.core.environment import RETRIED
from squall.ports import Bus, Clock, Store
from squall.services.due import seconds_until_due
from squall.services.lanes import ADVANCE
from squall.services.workflow.workflows import MOST, Workflows

_LOG = logging.getLogger("squall.conductor")
_BACK_OFF = 0.5
_SOON = 0.02


class ConductorRole:
    """Advances the workflows in the lane `advance`; `poll` is in seconds."""

    def __init__(self, workflows: Workflows, store: Store, bus: Bus, clock: Clock, *, poll: float) -> None:
        self._workflows = workflows
        self._store = store
        self._bus = bus
        self._clock = clock
        self._poll = poll

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._take(group)

    async def _take(self, group: asyncio.TaskGroup) -> None:
        with self._bus.subscribe(ADVANCE) as hints:
            while True:
                try:
                    # Under load the next hint comes before the database has told when the next row is due.
                    if await self._workflows.advance(group) < MOST and not await hints.wait(min(_SOON, self._poll)):
                        await hints.wait(await seconds_until_due(self._store, self._clock, ADVANCE, self._poll))
                except RETRIED as error:
                    _LOG.warning("could not advance workflows; trying again", extra={"error": str(error)})
                    await asyncio.sleep(_BACK_OFF)
