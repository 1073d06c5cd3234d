"""The janitor: keeps what is bounded within its bounds, in small pieces, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from squall.core.errors import SquallError

_LOG = logging.getLogger("squall.janitor")


class Chore(NamedTuple):
    """Something to be done every so many seconds; `name` is for the log."""

    name: str
    every: float
    work: Callable[[], Awaitable[object]]


class Janitor:
    """Does its chores, each on its own time: one that takes long holds up no other."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = chores

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for chore in self._chores:
                group.create_task(self._repeat(chore))

    @staticmethod
    async def _repeat(chore: Chore) -> None:
        while True:
            await asyncio.sleep(chore.every)
            try:
                await chore.work()
            except (OSError, SquallError) as error:
                _LOG.warning("a chore waits", extra={"chore": chore.name, "error": str(error)})
