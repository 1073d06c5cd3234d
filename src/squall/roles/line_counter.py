"""The line counter: counts the lines of large outputs when they end, so that later readers need not wait."""

from __future__ import annotations

import asyncio
import contextlib

from squall.core.environment import RETRIED
from squall.ports import Bus
from squall.services.lanes import COMPLETE
from squall.services.output.line_reading import LineReading


class LineCounting:
    """Counts the lines of trees that have become complete, every `pause` seconds; `poll` is in seconds. If a hint is
    lost, a later reader waits for the count."""

    def __init__(self, reading: LineReading, bus: Bus, *, poll: float, pause: float = 1.0) -> None:
        self._reading = reading
        self._bus = bus
        self._poll = poll
        self._pause = pause

    async def run(self) -> None:
        """Works until cancelled."""
        with self._bus.subscribe(COMPLETE) as hints:
            while True:
                for tree in await hints.wait(self._poll):
                    with contextlib.suppress(*RETRIED):
                        await self._reading.count_finished(tree)
                await asyncio.sleep(self._pause)
